# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tunnels' keys are made from: the PSK, and the key of a router's own.

The agents derive device keys as well: `tunnel/keys.py`, specified in docs/PROTOCOL.md, section 3.
"""

from __future__ import annotations

import base64
import binascii
import re

from ansible.errors import AnsibleFilterError

_LEAST_PSK_BYTES = 32
_EPOCHS = 256
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_PLACEHOLDER = re.compile(
    r"(change|replace|your|example|placeholder|insert|secret|<)", re.IGNORECASE
)
_LEAST_DISTINCT_BYTES = 8


class Keys:
    """Of a PSK and its epoch, for the filter `name`, which errors begin with.

    All raise AnsibleFilterError without the PSK in it.
    """

    def __init__(self, name: str, psk: object, epoch: object) -> None:
        self._name = name
        self._psk = self._decoded(psk)
        if not isinstance(epoch, int) or isinstance(epoch, bool) or not 0 <= epoch < _EPOCHS:
            raise self.refused("epoch must be a number from 0 to 255: %r" % (epoch,))
        self._epoch = bytes((epoch,))

    def refused(self, why: str) -> AnsibleFilterError:
        """An error of the filter."""
        return AnsibleFilterError("%s: %s" % (self._name, why))

    def identifier(self, argument: str, value: object) -> bytes:
        """An id of an endpoint or a router as keys are made from it."""
        if not isinstance(value, str) or not _ID.fullmatch(value):
            raise self.refused(
                "%s must be 1 to 64 letters, digits, '_', '-' or '.', no sign first: %r"
                % (argument, value)
            )
        return value.encode("ascii")

    def of_router(self, router_id: object) -> bytes:
        """The key of a router's own."""
        router = self.identifier("router_id", router_id)
        return _hkdf(self._psk, b"nrs v2 router" + router + self._epoch)

    def of_device(self, claim: bytes, router_id: object = None) -> bytes:
        """The key of an endpoint's claim, for one router; without it, for those with the PSK."""
        master = self._psk if router_id is None else self.of_router(router_id)
        return _hkdf(master, b"nrs v2 device" + claim + self._epoch)

    def _decoded(self, psk: object) -> bytes:
        """The PSK's bytes; what the agents refuse is refused here too."""
        text = str(psk).strip()  # what a vault holds is an object of its own before 2.19
        try:
            key = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if _PLACEHOLDER.match(text) or (
            len(key) >= _LEAST_PSK_BYTES and len(set(key)) < _LEAST_DISTINCT_BYTES
        ):
            raise self.refused("the PSK is a placeholder")
        if len(key) < _LEAST_PSK_BYTES:
            raise self.refused("the PSK must be 32 bytes or more in base64")
        return key


def _hkdf(secret: bytes, info: bytes) -> bytes:
    """RFC 5869 with SHA-256 and no salt, 32 bytes."""
    # ansible-core depends on it, but ansible-test imports plugins without it.
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

    derived: bytes = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)
    return derived
