# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the network that an inventory describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Variables = Mapping[str, Any]


def desired_topology(
    hostvars: Mapping[str, Variables], groups: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, dict[str, Any]]]:
    """`{"routers", "endpoints"}`, each by device id: tunnel addresses, an endpoint's routers."""
    routers = {}
    for host in groups.get("routing_servers", ()):
        name, device = _device(host, hostvars[host], "routing_server", "server_id")
        routers[name] = device
    endpoints = {}
    for host in groups.get("network_access_endpoints", ()):
        variables = hostvars[host]
        name, device = _device(host, variables, "network_access_endpoint", "endpoint_id")
        entries = variables.get("network_access_endpoint_routers") or ()
        endpoints[name] = {**device, "routers": [entry["router_id"] for entry in entries]}
    return {"routers": routers, "endpoints": endpoints}


def _device(
    host: str, variables: Variables, role: str, identity: str
) -> tuple[str, dict[str, Any]]:
    name = variables.get(f"{role}_{identity}") or host
    keys = ("tun_ipv4", "tun_ipv6")
    return str(name), {key: variables.get(f"{role}_{key}") for key in keys}


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name to function."""
        return {"desired_topology": desired_topology}
