# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters: the routers beside one that its endpoints have, and whom none of these serves."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.nrs.network_routing.plugins.plugin_utils._inventory import (
    HostVars,
    given,
)

Groups = Mapping[str, Sequence[str]]


def router_peers(
    hostvars: HostVars, groups: Groups, router: str, endpoint_ids: Sequence[str]
) -> dict[str, list[str]]:
    """By endpoint, the other hosts of routers that the inventory names for it.

    Those that the inventory does not have are left out.
    """
    servers = groups.get("routing_servers", ())
    hosts = {str(given(hostvars, host, "routing_server_server_id", host)): host for host in servers}
    found: dict[str, list[str]] = {}
    for host in groups.get("network_access_endpoints", ()):
        identity = str(given(hostvars, host, "network_access_endpoint_endpoint_id", host))
        if identity in endpoint_ids:
            entries = given(hostvars, host, "network_access_endpoint_routers", ())
            named = [hosts.get(str(entry["router_id"])) for entry in entries]
            found[identity] = [name for name in named if name is not None and name != router]
    return found


def stranded_endpoints(peers: Mapping[str, Sequence[str]], said: Mapping[str, str]) -> list[str]:
    """Endpoints of which none of several routers but one would serve, each with why.

    `peers` as `router_peers` has it, `said` what `nrs status --json` has printed there. An endpoint
    that has no other router cannot be helped, and is not among them.
    """
    lacks = {
        endpoint: [(router, _lack(said.get(router, ""), endpoint)) for router in routers]
        for endpoint, routers in peers.items()
    }
    return [
        "%s: %s" % (endpoint, ", ".join("%s %s" % each for each in found))
        for endpoint, found in sorted(lacks.items())
        if found and all(lack for _router, lack in found)
    ]


def _lack(said: str, endpoint: str) -> str:
    """Why a router does not serve an endpoint; nothing where it does."""
    try:
        status: Any = json.loads(said)
    except ValueError:
        status = None
    if not isinstance(status, dict):
        return "does not answer"
    if status.get("draining"):
        return "is drained"
    if not status.get("egress_up", True):
        return "has a dead egress"
    up = {tunnel.get("endpoint_id") for tunnel in status.get("tunnels", []) if tunnel.get("up")}
    return "" if endpoint in up else "has no tunnel with it"


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name to function."""
        return {"router_peers": router_peers, "stranded_endpoints": stranded_endpoints}
