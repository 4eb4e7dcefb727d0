# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: what a run costs that changes the tunnel protocol.

Hosts with different ones have no tunnels with each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.nrs.network_routing.plugins.plugin_utils._inventory import (
    HostVars,
    given,
)

_ROUTERS = "routing_servers"
_ENDPOINTS = "network_access_endpoints"


def changes_protocol(hostvars: HostVars, host: str) -> bool:
    """Whether the release of a host makes room for one with another tunnel protocol."""
    return len(set(_protocols(hostvars, host))) > 1


def interruption(
    hostvars: HostVars,
    groups: Mapping[str, Sequence[str]],
    hosts: Sequence[str],
    elsewhere: Mapping[str, str],
) -> dict[str, Any]:
    """What changes in a run for `hosts`, and whom it leaves out; empty where no protocol changes.

    `before` and `after` are the protocols, `routers` and `endpoints` the hosts that change.
    `elsewhere` is what other hosts have said: their protocol, or nothing where they have no
    release. `left_out` are those of them that will have another protocol, `unknown` those that have
    not answered.
    """
    routers, endpoints = groups.get(_ROUTERS, ()), groups.get(_ENDPOINTS, ())
    changing = [
        host
        for host in dict.fromkeys([*routers, *endpoints])
        if host in hosts and changes_protocol(hostvars, host)
    ]
    if not changing:
        return {}
    after = _protocols(hostvars, changing[0])[-1]
    others = sorted({*routers, *endpoints} - set(hosts))
    same = ("", str(after))
    return {
        "before": sorted({_protocols(hostvars, host)[0] for host in changing}),
        "after": after,
        "routers": [host for host in routers if host in changing],
        "endpoints": [host for host in endpoints if host in changing],
        "left_out": [host for host in others if elsewhere.get(host, "").strip() not in same],
        "unknown": [host for host in others if host not in elsewhere],
    }


def _protocols(hostvars: HostVars, host: str) -> list[int]:
    change = given(hostvars, host, "__common_change") or {}
    return [int(protocol) for protocol in change.get("protocols", ())]


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., dict[str, Any]]]:
        """Name to function."""
        return {"interruption": interruption}
