# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters: where the network is not what the inventory says, a line for each difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.nrs.network_routing.plugins.plugin_utils._address import canonical

Device = dict[str, Any]


def topology_difference(topology: Device, desired: Device) -> list[str]:
    """What the controller's `topology` has otherwise than `desired`; empty where nothing."""
    known = {device["device_id"]: device for device in _part(topology, "devices")}
    tunnels = {(t["endpoint_id"], t["router_id"]): t for t in _part(topology, "tunnels")}
    routers, endpoints = _desired(desired)
    lines: list[str] = []
    for kind, group in (("routing_server", routers), ("network_access_endpoint", endpoints)):
        for name in sorted(group):
            lines += _device_lines(name, kind, group[name], known.get(name), topology)
    for name in sorted(known.keys() - routers.keys() - endpoints.keys()):
        lines.append("%s: registered with the controller (not in the inventory)" % name)
    for name in sorted(endpoints):
        lines += _tunnel_lines(name, endpoints[name]["routers"], tunnels)
    return lines


def balancer_difference(status: Device, desired: Device, balancer: str) -> list[str]:
    """Which desired routers the load balancer `balancer` would not send anyone to."""
    servers = {server["server_id"]: server for server in _part(status, "servers")}
    routers, _endpoints = _desired(desired)
    lines = []
    for name in sorted(routers):
        state = servers[name]["status"] if name in servers else "unknown"
        if state != "active":
            lines.append("%s: %s at load balancer %s (desired active)" % (name, state, balancer))
    for name in sorted(servers.keys() - routers.keys()):
        if servers[name]["status"] == "active":
            lines.append("%s: active at load balancer %s (not in the inventory)" % (name, balancer))
    return lines


def decision_difference(results: list[Device], balancer: str) -> list[str]:
    """What is wrong with the `results` of routing_decision_info in a loop over endpoints.

    The loop's items are of `dict2items`: an endpoint's id, and its desired state.
    """
    lines = []
    for result in results:
        endpoint, candidates = result["item"]["key"], result["item"]["value"]["routers"]
        allowed = " or ".join(candidates)
        if "decision" not in result:
            why = result.get("msg", "no answer")
            text = "%s: load balancer %s decides for no router (desired %s): %s"
            lines.append(text % (endpoint, balancer, allowed, why))
        elif result["decision"]["optimal_router_id"] not in candidates:
            chosen = result["decision"]["optimal_router_id"]
            text = "%s: load balancer %s decides for %s (desired %s)"
            lines.append(text % (endpoint, balancer, chosen, allowed))
    return lines


def _device_lines(
    name: str, kind: str, wanted: Device, found: Device | None, topology: Device
) -> Iterator[str]:
    if found is None:
        yield "%s: not registered with the controller (desired online)" % name
        return
    if found["device_type"] != kind:
        yield "%s: registered as %s (desired %s)" % (name, found["device_type"], kind)
    if found["status"] != "online":
        yield "%s: %s%s (desired online)" % (name, found["status"], _unseen(found, topology))
    for key, label in (("tun_ipv4", "IPv4"), ("tun_ipv6", "IPv6")):
        if wanted.get(key) and canonical(found.get(key) or "") != canonical(wanted[key]):
            text = "%s: %s tunnel address %s (desired %s)"
            yield text % (name, label, found.get(key) or "missing", wanted[key])


def _unseen(found: Device, topology: Device) -> str:
    seen, now = found.get("last_seen"), topology.get("timestamp")
    if seen is None or now is None:
        return ""
    return ", last seen %d s ago" % max(0, round(now - seen))


def _tunnel_lines(
    endpoint: str, routers: list[str], tunnels: dict[tuple[str, str], Device]
) -> Iterator[str]:
    own = {peer: tunnel for (owner, peer), tunnel in tunnels.items() if owner == endpoint}
    for router in routers:
        tunnel = own.get(router)
        if tunnel is None:
            yield "%s -> %s: no tunnel reported (desired up)" % (endpoint, router)
        elif not tunnel["up"]:
            yield "%s -> %s: tunnel down (desired up)" % (endpoint, router)
    for router in sorted(own.keys() - set(routers)):
        if own[router]["up"]:
            yield "%s -> %s: tunnel up (not in the inventory)" % (endpoint, router)
    active = sorted(peer for peer, tunnel in own.items() if tunnel["active"])
    if len(active) != 1:
        names = ", ".join(active) or "none"
        yield "%s: active tunnels: %s (desired exactly one)" % (endpoint, names)


def _desired(desired: Device) -> tuple[dict[str, Device], dict[str, Device]]:
    try:
        return desired["routers"], desired["endpoints"]
    except (TypeError, KeyError) as error:
        raise AnsibleFilterError("desired needs 'routers' and 'endpoints': %r" % error) from error


def _part(answer: Device, key: str) -> list[Device]:
    value = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(value, list):
        raise AnsibleFilterError("the actual state has no list of %s" % key)
    return value


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Name to function."""
        return {
            "topology_difference": topology_difference,
            "balancer_difference": balancer_difference,
            "decision_difference": decision_difference,
        }
