"""What of a pushed configuration an endpoint takes: no more than its own file lets be chosen. Pure.

What the host reaches by itself is handed in: networks, with the interface that each is connected
to, and the addresses that names have led to.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from pydantic import TypeAdapter, ValidationError

from nrs.config import overlay
from nrs.config.overlay import OverlayRefused
from nrs.config.types import IPAddress, IPNetwork, Network, is_within
from nrs.endpoint.config import NetworkAccessEndpointConfig
from nrs.endpoint.service_addresses import hosts_of, literal

LEAST_POLL_INTERVAL_S = 1.0
"""A push that makes all endpoints ask all the time would shut the load balancers."""

_NETWORKS: TypeAdapter[list[IPNetwork]] = TypeAdapter(list[Network])

Connected = Sequence[tuple[IPNetwork, str]]
Forbidden = Sequence[tuple[IPNetwork, str]]
"""What no pushed route overlaps with, and what it is."""
Named = Mapping[IPAddress, str]
"""Whose address each is, of routers and APIs that have a name."""


def lay(
    config: NetworkAccessEndpointConfig,
    data: Mapping[str, Any],
    over: Mapping[str, Any],
    connected: Connected,
    named: Named,
) -> dict[str, Any]:
    """`data`, the content of the file `config`, with what is pushed over it.

    A pushed router has a `router_id` alone, and is that one of the file. Raises OverlayRefused.
    """
    overlay.check(over, "network_access_endpoint")
    taken = overlay.merge({}, over)
    if "routers" in taken:
        taken["routers"] = _chosen(config, data["routers"], taken["routers"])
    forbidden = list(_forbidden(config, connected, named))
    _check_routes(config, taken.get("tunnel", {}).get("routes", []), forbidden)
    interval = taken.get("load_balancer", {}).get("poll_interval", LEAST_POLL_INTERVAL_S)
    if isinstance(interval, (int, float)) and interval < LEAST_POLL_INTERVAL_S:
        message = f"a pushed one is at least {LEAST_POLL_INTERVAL_S:g} s"
        raise OverlayRefused(message, "load_balancer.poll_interval")
    return overlay.merge(data, taken)


def _chosen(config: NetworkAccessEndpointConfig, entries: Any, wanted: Any) -> list[Any]:
    """The entries of the file that are wanted, in the order wanted."""
    of = {router.router_id: entry for router, entry in zip(config.routers, entries, strict=True)}
    may = [*of] if config.push.routers is None else [r for r in config.push.routers if r in of]
    if not isinstance(wanted, list):
        raise OverlayRefused("must be a list of {router_id}", "routers")
    for index, entry in enumerate(wanted):
        field = f"routers[{index}]"
        if not isinstance(entry, Mapping) or entry.keys() != {"router_id"}:
            message = (
                "a pushed router has a router_id and nothing else; its addresses are the file's"
            )
            raise OverlayRefused(message, field)
        if entry["router_id"] not in may:
            message = f"is none of those that may be chosen: {', '.join(may) or 'none'}"
            raise OverlayRefused(message, f"{field}.router_id")
    return [of[entry["router_id"]] for entry in wanted]


def _check_routes(config: NetworkAccessEndpointConfig, routes: Any, forbidden: Forbidden) -> None:
    """What is no list of networks is left to the validation of the whole."""
    with suppress(ValidationError):
        for index, route in enumerate(_NETWORKS.validate_python(routes)):
            if route not in config.tunnel.routes:  # those are the operator's own
                _check_route(config, route, f"tunnel.routes[{index}]", forbidden)


def _check_route(
    config: NetworkAccessEndpointConfig, route: IPNetwork, field: str, forbidden: Forbidden
) -> None:
    if not any(is_within(route, network) for network in config.push.routes_within):
        raise OverlayRefused(f"{route} is outside of push.routes_within", field)
    for network, whose in forbidden:
        if route.overlaps(network):
            raise OverlayRefused(f"{route} overlaps with {network}, {whose}", field)


def _forbidden(
    config: NetworkAccessEndpointConfig, connected: Connected, named: Named
) -> Iterator[tuple[IPNetwork, str]]:
    for network in config.push.routes_never:
        yield network, "one of push.routes_never"
    for address, whose in {**named, **literal(hosts_of(config))}.items():
        yield ipaddress.ip_network(address.packed), whose
    for router in config.routers:
        if router.address is not None:
            whose = f"the address of routers: {router.router_id}"
            yield ipaddress.ip_network(router.address.packed), whose
    for network, interface in connected:
        yield network, f"which {interface} is connected to"
