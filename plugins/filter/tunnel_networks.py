# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters: where devices of an inventory have their addresses inside tunnels."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.nrs.network_routing.plugins.filter.endpoint_networks import (
    DEFAULT_NETWORKS,
)
from ansible_collections.nrs.network_routing.plugins.plugin_utils._inventory import (
    HostVars,
    given,
)


def tunnel_networks(hostvars: HostVars, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Networks of tunnel addresses, sorted, none within another; names of groups as the roles'.

    Those that endpoints may claim addresses of at any routing server, those of the routing
    servers' TUN devices, and every endpoint's own address. What is no network is left to the
    play of the host that has it.
    """
    texts: list[Any] = []
    for host in groups.get("routing_servers", ()):
        texts += given(hostvars, host, "routing_server_endpoint_networks") or DEFAULT_NETWORKS
        texts += (given(hostvars, host, f"routing_server_tun_ipv{v}") for v in (4, 6))
    for host in groups.get("network_access_endpoints", ()):
        for v in (4, 6):
            text = str(given(hostvars, host, f"network_access_endpoint_tun_ipv{v}") or "")
            texts.append(text.strip().partition("/")[0])
    found = list(_networks(texts))
    merged = (
        ipaddress.collapse_addresses(n for n in found if isinstance(n, ipaddress.IPv4Network)),
        ipaddress.collapse_addresses(n for n in found if isinstance(n, ipaddress.IPv6Network)),
    )
    return [str(network) for family in merged for network in family]


def addresses_inside(addresses: Sequence[str], networks: Sequence[str]) -> list[str]:
    """Those of the addresses that lie in a network; names and what is no network are left out."""
    known = list(_networks(networks))
    return [
        str(text)
        for text in addresses
        if any(
            single.network_address in network for single in _networks([text]) for network in known
        )
    ]


def _networks(texts: Sequence[Any]) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    for text in texts:
        try:
            yield ipaddress.ip_interface(str(text or "").strip()).network
        except ValueError:
            continue


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Name to function."""
        return {"addresses_inside": addresses_inside, "tunnel_networks": tunnel_networks}
