# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: which device is to be removed, and why it cannot be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.nrs.network_routing.plugins.plugin_utils._inventory import (
    HostVars,
    given,
)

_ROUTERS = "routing_servers"
_ENDPOINTS = "network_access_endpoints"
_IDENTITY = {
    _ROUTERS: "routing_server_server_id",
    _ENDPOINTS: "network_access_endpoint_endpoint_id",
}
_WHAT = {_ROUTERS: "routing server", _ENDPOINTS: "endpoint"}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


def removal(
    hostvars: HostVars, groups: Mapping[str, Sequence[str]], group: str, named: str
) -> dict[str, Any]:
    """`{"device_id", "host", "naming", "faults"}` of the device that `named` is, of `group`.

    `named` is a host of the inventory, or an id; one that the inventory does not have any longer
    has the host `""`. `naming` are the endpoints that have the router among theirs, and `faults`
    says why it must not be removed, a line for each reason.
    """
    named = str(named)
    ids = {host: _identity(hostvars, host, group) for host in groups.get(group, ())}
    host = named if named in ids else next((h for h, own in ids.items() if own == named), "")
    device_id = ids.get(host, named)
    naming = _naming(hostvars, groups, device_id) if group == _ROUTERS else {}
    faults = list(_faults(hostvars, groups, group, named, host))
    if not faults and group == _ROUTERS:
        faults = list(_left_alone(naming, [own for own in ids.values() if own != device_id]))
    return {"device_id": device_id, "host": host, "naming": sorted(naming), "faults": faults}


def _faults(
    hostvars: HostVars,
    groups: Mapping[str, Sequence[str]],
    group: str,
    named: str,
    host: str,
) -> Iterator[str]:
    if not _NAME.fullmatch(named):
        yield "-e nrs_remove=NAME says which %s is to be removed" % _WHAT[group]
        return
    if host:
        return
    (other,) = set(_IDENTITY) - {group}
    others = groups.get(other, ())
    if named in groups:
        yield "nrs_remove: %s is a group" % named
    elif named in others or named in (_identity(hostvars, one, other) for one in others):
        yield "nrs_remove: %s is no %s but one of the group %s" % (named, _WHAT[group], other)
    elif any(named in hosts for hosts in groups.values()):
        yield "nrs_remove: %s is a host without this role" % named


def _left_alone(naming: Mapping[str, Sequence[str]], others: Sequence[str]) -> Iterator[str]:
    if not others:
        yield "it is the last routing server, and nothing would reach the business server"
        return
    for endpoint, routers in sorted(naming.items()):
        if not routers:
            yield "%s has no other one in network_access_endpoint_routers: give it one" % endpoint


def _naming(
    hostvars: HostVars, groups: Mapping[str, Sequence[str]], router_id: str
) -> dict[str, list[str]]:
    """The endpoints that name the router, each with its other ones."""
    found = {}
    for host in groups.get(_ENDPOINTS, ()):
        entries = given(hostvars, host, "network_access_endpoint_routers", ())
        routers = [str(entry["router_id"]) for entry in entries]
        if router_id in routers:
            found[host] = [router for router in routers if router != router_id]
    return found


def _identity(hostvars: HostVars, host: str, group: str) -> str:
    return str(given(hostvars, host, _IDENTITY[group], host))


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name to function."""
        return {"removal": removal}
