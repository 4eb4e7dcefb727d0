# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: tunnel addresses that an inventory gives to more than one host."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ansible_collections.nrs.network_routing.plugins.plugin_utils._address import canonical
from ansible_collections.nrs.network_routing.plugins.plugin_utils._inventory import (
    HostVars,
    given,
)

_ROLE_OF_GROUP = {
    "routing_servers": "routing_server",
    "network_access_endpoints": "network_access_endpoint",
}


def repeated_tunnel_addresses(hostvars: HostVars, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """`ADDRESS of HOST and HOST` for each; empty where every host has addresses of its own."""
    owners: dict[str, list[str]] = {}
    for group, role in _ROLE_OF_GROUP.items():
        for host in groups.get(group, ()):
            for key in ("tun_ipv4", "tun_ipv6"):
                text = given(hostvars, host, f"{role}_{key}")
                if text:
                    owners.setdefault(canonical(text), []).append(host)
    return [
        f"{address} of {' and '.join(hosts)}" for address, hosts in owners.items() if len(hosts) > 1
    ]


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Name to function."""
        return {"repeated_tunnel_addresses": repeated_tunnel_addresses}
