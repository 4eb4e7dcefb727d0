# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: which secrets hosts go by that the control node has lost."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence

from ansible.errors import AnsibleFilterError

_SHOWN_BY = {
    "PSK": ("psk", "router_key", "device_key", "device_keys"),
    "signing key": ("signers", "api_tokens_*"),
    "CA": ("ca.pem",),
}
"""The files on hosts that come of each kind of secret."""
_MOST_NAMED = 5


def lost_secrets(missing: Sequence[str], files: Mapping[str, Sequence[str]]) -> list[str]:
    """A line for each kind of `missing` that came to a host; `files` are names by host."""
    return [
        "%s (%s)" % (kind, _named(hosts))
        for kind in missing
        if (hosts := sorted(host for host, names in files.items() if _shows(kind, names)))
    ]


def _shows(kind: str, names: Sequence[str]) -> bool:
    if kind not in _SHOWN_BY:
        raise AnsibleFilterError("lost_secrets: no kind of secret: %r" % (kind,))
    return any(fnmatch.filter(names, pattern) for pattern in _SHOWN_BY[kind])


def _named(hosts: Sequence[str]) -> str:
    more = len(hosts) - _MOST_NAMED
    return ", ".join(hosts[:_MOST_NAMED]) + (" and %d more" % more if more > 0 else "")


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Name to function."""
        return {"lost_secrets": lost_secrets}
