# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the key that opens tunnels for one endpoint's addresses alone.

The agents compute the same: `tunnel/keys.py` and `tunnel/wire.py`, specified in docs/PROTOCOL.md,
sections 3 and 5.1.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

_LEAST_PSK_BYTES = 32
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MOST_PREFIXES = 16
_EPOCHS = 256
_PLACEHOLDER = re.compile(
    r"(change|replace|your|example|placeholder|insert|secret|<)", re.IGNORECASE
)
_LEAST_DISTINCT_BYTES = 8
_NONE4 = ipaddress.IPv4Address(0)
"""What stands in a claim for an address that is absent."""
_NONE6 = ipaddress.IPv6Address(0)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def device_key(
    psk: str,
    endpoint_id: str,
    tun_ipv4: str | None,
    tun_ipv6: str | None,
    prefixes: Sequence[str] = (),
    epoch: int = 0,
) -> str:
    """The device key as 64 hexadecimal digits; one of the two addresses may be empty.

    Raises AnsibleFilterError without the PSK in it.
    """
    if not isinstance(prefixes, (list, tuple)) or len(prefixes) > _MOST_PREFIXES:
        raise AnsibleFilterError("device_key: prefixes must be a list of at most 16 networks")
    if not isinstance(epoch, int) or isinstance(epoch, bool) or not 0 <= epoch < _EPOCHS:
        raise AnsibleFilterError("device_key: epoch must be a number from 0 to 255: %r" % (epoch,))
    if not tun_ipv4 and not tun_ipv6:
        raise AnsibleFilterError("device_key: neither tun_ipv4 nor tun_ipv6 is given")
    networks = sorted(
        (_parsed("prefixes", prefix, ipaddress.ip_network) for prefix in prefixes),
        key=lambda p: (p.version, int(p.network_address), p.prefixlen),
    )
    for one, other in zip(networks, networks[1:]):
        if one.version == other.version and one.overlaps(other):
            raise AnsibleFilterError("device_key: prefixes: %s and %s overlap" % (one, other))
    claim = _claim(
        _identifier(endpoint_id),
        _parsed("tun_ipv4", tun_ipv4 or _NONE4, ipaddress.IPv4Interface).ip,
        _parsed("tun_ipv6", tun_ipv6 or _NONE6, ipaddress.IPv6Interface).ip,
        networks,
    )
    return _hkdf(_master(psk), b"nrs v1 device" + claim + bytes((epoch,))).hex()


def _hkdf(secret: bytes, info: bytes) -> bytes:
    """RFC 5869 with SHA-256 and no salt, 32 bytes."""
    # ansible-core depends on it, but ansible-test imports plugins without it.
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

    derived: bytes = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)
    return derived


def _master(psk: str) -> bytes:
    """The PSK's bytes; what the agents refuse is refused here too."""
    text = str(psk).strip()  # what a vault holds is an object of its own before ansible-core 2.19
    try:
        key = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if _PLACEHOLDER.match(text) or (
        len(key) >= _LEAST_PSK_BYTES and len(set(key)) < _LEAST_DISTINCT_BYTES
    ):
        raise AnsibleFilterError("device_key: the PSK is a placeholder")
    if len(key) < _LEAST_PSK_BYTES:
        raise AnsibleFilterError("device_key: the PSK must be 32 bytes or more in base64")
    return key


def _identifier(endpoint_id: str) -> bytes:
    if not isinstance(endpoint_id, str) or not _ID.fullmatch(endpoint_id):
        raise AnsibleFilterError(
            "device_key: endpoint_id must be 1 to 64 letters, digits, '_', '-' or '.', "
            "no sign first: %r" % (endpoint_id,)
        )
    return endpoint_id.encode("ascii")


def _parsed(argument: str, text: object, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(str(text))  # a number would be an address too
    except ValueError as error:
        raise AnsibleFilterError("device_key: %s: %s" % (argument, error)) from error


def _claim(
    name: bytes,
    tun_ipv4: ipaddress.IPv4Address,
    tun_ipv6: ipaddress.IPv6Address,
    prefixes: list[Network],
) -> bytes:
    """A HELLO's claim; `prefixes` are in its order."""
    encoded = b"".join(
        bytes((p.version, p.prefixlen)) + p.network_address.packed.ljust(16, b"\0")
        for p in prefixes
    )
    counts = bytes((len(name), len(prefixes)))
    return counts + tun_ipv4.packed + tun_ipv6.packed + encoded + name


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Name to function."""
        return {"device_key": device_key}
