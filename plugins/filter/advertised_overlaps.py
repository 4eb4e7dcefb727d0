# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: networks behind endpoints that overlap what somebody else of the inventory has."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.nrs.network_routing.plugins.plugin_utils._inventory import (
    HostVars,
    given,
)

_DEFAULT = ("10.10.0.0/16", "fd00:10::/32", "fd00:100::/32")
"""Where endpoints have addresses unless routing servers are told otherwise."""
_ROLE_OF_GROUP = {
    "routing_servers": "routing_server",
    "network_access_endpoints": "network_access_endpoint",
}


class _Held(NamedTuple):
    network: ipaddress.IPv4Network | ipaddress.IPv6Network
    whose: str


def advertised_overlaps(hostvars: HostVars, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """`PREFIX of HOST and PREFIX of HOST` for each pair; empty where there is none.

    What is no network or address is left to the host's own play.
    """
    advertised = [
        _Held(network, f"{network} of {host}")
        for host in groups.get("network_access_endpoints", ())
        for network in _networks(given(hostvars, host, "network_access_endpoint_advertise"))
    ]
    others = list(_others(hostvars, groups)) if advertised else []
    pairs = [*itertools.combinations(advertised, 2), *itertools.product(advertised, others)]
    found = [f"{one.whose} and {other.whose}" for one, other in pairs if _meet(one, other)]
    return list(dict.fromkeys(found))


def _others(hostvars: HostVars, groups: Mapping[str, Sequence[str]]) -> Iterator[_Held]:
    """Where hosts have tunnel addresses, or may have them."""
    for group, role in _ROLE_OF_GROUP.items():
        for host in groups.get(group, ()):
            for version in (4, 6):
                text = given(hostvars, host, f"{role}_tun_ipv{version}")
                for network in _networks([text] if text else [], strict=False):
                    yield _Held(network, f"{text} of {host}")
    for host in groups.get("routing_servers", ()):
        listed = given(hostvars, host, "routing_server_endpoint_networks") or _DEFAULT
        for network in _networks(listed):
            yield _Held(network, f"{network} of the endpoints' own addresses")


def _networks(
    listed: Any, *, strict: bool = True
) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    for text in listed if isinstance(listed, (list, tuple)) else ():
        try:
            yield ipaddress.ip_network(str(text).strip(), strict=strict)
        except ValueError:
            continue


def _meet(one: _Held, other: _Held) -> bool:
    same = one.network.version == other.network.version
    return same and one.network.overlaps(other.network)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Name to function."""
        return {"advertised_overlaps": advertised_overlaps}
