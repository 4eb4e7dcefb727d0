# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: where the endpoints of an inventory have their tunnel addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ansible_collections.nrs.network_routing.plugins.plugin_utils._inventory import (
    HostVars,
    given,
)

DEFAULT_NETWORKS = ("10.10.0.0/16", "fd00:10::/32", "fd00:100::/32")
"""What a routing server takes beside the networks of its own TUN device."""


def endpoint_networks(hostvars: HostVars, endpoints: Sequence[str], *tun: Any) -> list[str]:
    """What a routing server with the addresses `tun` has to take so that all `endpoints` can claim.

    Empty where its agent takes all of them by itself. What is no address is left to the
    endpoint's own play.
    """
    own = [ipaddress.ip_interface(text).network for text in _texts(tun)]
    networks = [*map(ipaddress.ip_network, DEFAULT_NETWORKS), *own]
    others = [
        address
        for address in _addresses(hostvars, endpoints)
        if not any(address in network for network in networks)
    ]
    if not others:
        return []
    return list(dict.fromkeys(map(str, [*networks, *map(ipaddress.ip_network, others)])))


def _addresses(
    hostvars: HostVars, endpoints: Sequence[str]
) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    for host in endpoints:
        values = [given(hostvars, host, f"network_access_endpoint_tun_ipv{v}") for v in (4, 6)]
        for text in _texts(values):
            yield ipaddress.ip_interface(text).ip


def _texts(values: Sequence[Any]) -> Iterator[str]:
    for value in values:
        text = str(value or "").strip()
        try:
            ipaddress.ip_interface(text)
        except ValueError:
            continue
        yield text


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Name to function."""
        return {"endpoint_networks": endpoint_networks}
