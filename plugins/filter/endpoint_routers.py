# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters: the routers that an endpoint names, and what the inventory knows of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.nrs.network_routing.plugins.plugin_utils._inventory import (
    HostVars,
    given,
)

Entry = Mapping[str, Any]

_ADDRESSES = ("internal_ip", "external_ip")
_DEFAULT_PORT = 51820
_SHARED = "shared"


def endpoint_routers(
    entries: Sequence[Entry], hostvars: HostVars, servers: Sequence[str]
) -> list[dict[str, Any]]:
    """Each entry's `router_id`, `internal_ip`, `external_ip`, and what else of its own is given.

    `holds_psk` is whether the router goes by the PSK itself. What else is given may be `host`,
    `bind_address`, `gateway` and `ports`. An address that the entry does not give is the one that
    the inventory gives to that router; empty where it gives none, and where the entry gives a
    `host`. So are `holds_psk`, and `ports`, where that router has several. `servers` are the
    inventory's routing servers.
    """
    hosts = _hosts_by_id(hostvars, servers)
    return [_complete(entry, hostvars, hosts.get(str(entry["router_id"]))) for entry in entries]


def router_faults(
    entries: Sequence[Entry],
    hostvars: HostVars,
    servers: Sequence[str],
    port: int | str,
    interfaces: Sequence[str],
) -> list[str]:
    """What is wrong with the entries of an endpoint that sends to `port`, a line for each fault.

    `interfaces` are those that the endpoint has.
    """
    hosts = _hosts_by_id(hostvars, servers)
    return [
        fault
        for entry in entries
        for fault in (*_zone_faults(entry, interfaces), *_faults(entry, hostvars, hosts, port))
    ]


def _complete(entry: Entry, hostvars: HostVars, host: str | None) -> dict[str, Any]:
    modes = given(hostvars, host, "routing_server_key_modes", ()) if host else ()
    router = {
        "router_id": entry["router_id"],
        "holds_psk": entry.get("holds_psk", _SHARED in modes),
    }
    known = None if "host" in entry else host
    for key in _ADDRESSES:
        router[key] = entry[key] if key in entry else _address(hostvars, known, key)
    for key in ("host", "bind_address", "gateway"):
        if key in entry:
            router[key] = entry[key]
    ports = entry.get("ports") or _several_ports(hostvars, host)
    if ports:
        router["ports"] = [int(port) for port in ports]
    return router


def _zone_faults(entry: Entry, interfaces: Sequence[str]) -> Iterator[str]:
    """Of link-local addresses, whose zone is an interface of this host (RFC 4007, section 11)."""
    for key in (*_ADDRESSES, "bind_address"):
        zone = str(entry.get(key, "")).partition("%")[2]
        if zone and zone not in interfaces:
            yield (
                f"router_id {entry['router_id']} has {key} {entry[key]}, and this host has no"
                f" interface {zone} ({', '.join(interfaces)})"
            )


def _faults(
    entry: Entry, hostvars: HostVars, hosts: Mapping[str, str], port: int | str
) -> Iterator[str]:
    identity = entry["router_id"]
    host = hosts.get(str(identity))
    addressed = any(key in entry for key in (*_ADDRESSES, "host"))
    if host is None:
        if not addressed:
            yield (
                f"router_id {identity} is no routing server of the inventory"
                f" ({', '.join(sorted(hosts))}), and no address is given for it"
            )
        return
    if not addressed and not any(_address(hostvars, host, key) for key in _ADDRESSES):
        yield f"{host} has neither routing_server_external_ip nor routing_server_internal_ip"
    several = _several_ports(hostvars, host)
    if several and not entry.get("ports"):
        return
    listening = several or [given(hostvars, host, "routing_server_bind_port", _DEFAULT_PORT)]
    known = {int(one) for one in listening}
    if "ports" not in entry and int(port) not in known:
        yield f"{host} listens on port {listening[0]}, and network_access_endpoint_port is {port}"
    for one in entry.get("ports") or ():
        if int(one) not in known:
            yield (
                f"{host} listens on port {', '.join(map(str, listening))}, and ports of"
                f" router_id {identity} has {one}"
            )


def _several_ports(hostvars: HostVars, host: str | None) -> Sequence[int | str]:
    return given(hostvars, host, "routing_server_bind_ports", ()) if host else ()


def _hosts_by_id(hostvars: HostVars, servers: Sequence[str]) -> dict[str, str]:
    return {str(given(hostvars, host, "routing_server_server_id", host)): host for host in servers}


def _address(hostvars: HostVars, host: str | None, key: str) -> Any:
    return given(hostvars, host, f"routing_server_{key}", "") if host else ""


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., list[Any]]]:
        """Name to function."""
        return {"endpoint_routers": endpoint_routers, "router_faults": router_faults}
