"""How the datagrams of each tunnel leave by the uplink that it is bound to. Pure.

Each address that tunnels leave from has a table of its own, in the order of the routers in the
file:

    32300  from its address      table 51822, the next one's 32301 and 51823, ...

with routes to its routers and to the networks of its interface, and to nothing else: what the host
sends elsewhere from that address, or answers, goes as before. These rules come before those of the
routes through the tunnel. A strict reverse path filter, which looks the way back up by the same
rules, lets in what routers send, whatever the metrics of the host's own routes are.

Of uplinks in one network each answers ARP for its own addresses only. Otherwise a router or gateway
may learn the interface of another one, where the tunnel's datagrams are not taken.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from nrs.config.types import IPAddress
from nrs.endpoint.route_plan import TABLE, prefix_of_address
from nrs.system import route
from nrs.system.arp import ArpSetting, own_answers
from nrs.system.placing import Plan, Present
from nrs.system.route import Found, Hop, Prefix, network_of
from nrs.system.rule import Rule

_FIRST = 32300
_LOOPBACK = "lo"
_LOCAL_TABLE = 255
_BITS = {4: 32, 6: 128}


@dataclass(frozen=True)
class Bound:
    """A tunnel that is to leave from a certain address."""

    router_id: str
    source: IPAddress
    to: IPAddress
    gateway: IPAddress | None = None
    """The uplink's, as configured."""
    moved: bool = False
    """Whether it leaves from another address than configured."""


@dataclass
class Arranged:
    """What the uplinks of a host need."""

    routes: set[bytes] = field(default_factory=set)
    rules: set[Rule] = field(default_factory=set)
    settings: set[ArpSetting] = field(default_factory=set)
    interfaces: dict[str, int] = field(default_factory=dict)
    """By name, of all that have a tunnel's address."""
    leaving: list[tuple[Bound, str]] = field(default_factory=list)
    """The tunnels that have a way, and the interface that each leaves by."""
    without_way: list[str] = field(default_factory=list)
    """A sentence for each tunnel of which no way is known."""


def arrange(tunnels: Sequence[Bound], host: Present, tunnel_interface: int) -> Arranged:
    """Of those tunnels whose addresses an interface that is up has; link-local ones know theirs."""
    found = Arranged()
    tables: dict[IPAddress, int] = {}
    others = [one for one in host.others if one.table != _LOCAL_TABLE]
    for bound in tunnels:
        number = tables.setdefault(bound.source, len(tables))
        index = _owner(bound.source.packed, host, tunnel_interface)
        if index is None or bound.to.is_link_local:
            continue
        name = host.names[index]
        found.interfaces[name] = index
        if index not in host.up:
            continue
        here = [one for one in others if _leads(one, index)]
        way = _way(bound, index, here, others)
        if way is None:
            found.without_way.append(
                f"tunnel to {bound.router_id}: no gateway of {name} is known"
                f" (ip route get {bound.to} from {bound.source} oif {name}):"
                " give it as routers[].gateway"
            )
            continue
        found.leaving.append((bound, name))
        table, version = TABLE + 1 + number, bound.to.version
        hops = {prefix_of_address(bound.to): way}
        for prefix in _networks(here, version):
            hops.setdefault(prefix, Hop(index, b""))
        found.routes |= {
            route.encode(prefix, index, route.ENDPOINT, table=table, gateway=hop.gateway)
            for prefix, hop in hops.items()
        }
        source = prefix_of_address(bound.source)
        found.rules.add(Rule(version, _FIRST + number, table, source=source))
    found.settings.update(_answers(tunnels, found, others, host, tunnel_interface))
    return found


def added(plan: Plan, found: Arranged, sources: Iterable[bytes], *, managed: bool) -> Plan:
    """`plan` with what the uplinks need; only with what is wrong where they are not `managed`."""
    plan = replace(
        plan,
        interfaces=frozenset(found.interfaces.values()),
        sources=frozenset(sources),
    )
    if not managed:
        return replace(plan, warnings=(*plan.warnings, *found.without_way))
    return replace(
        plan,
        left_out=(*plan.left_out, *found.without_way),
        beside=frozenset(found.routes),
        rules=frozenset({*plan.rules, *found.rules}),
        settings=frozenset(found.settings),
    )


def _owner(packed: bytes, host: Present, tunnel_interface: int) -> int | None:
    """The interface that has an address, the first of several."""
    owners = [
        index
        for index, address in host.addresses
        if address == packed
        and index != tunnel_interface
        and host.names.get(index, _LOOPBACK) != _LOOPBACK
    ]
    return min(owners, default=None)


def _way(bound: Bound, index: int, here: Iterable[Found], others: Iterable[Found]) -> Hop | None:
    """The next hop: as configured, by the routes of the interface, or that of another in its net.

    One that is configured may be of the network that the uplink has left. Of routes that lead to
    the router the longest counts, then the lowest metric; where none does, the interface's only
    gateway.
    """
    version = bound.to.version
    gateway = bound.gateway
    if gateway is not None and (
        not bound.moved or any(_holds(near, int(gateway)) for near in _networks(here, version))
    ):
        return Hop(index, gateway.packed)
    leading = _best(here, bound.to)
    if leading is not None:
        return next(hop for hop in leading.hops if hop.interface == index)
    networks = _networks(here, version)
    near = [
        one
        for one in others
        for hop in one.hops
        if len(hop.gateway) == _BITS[version] // 8
        and any(_holds(network, int.from_bytes(hop.gateway, "big")) for network in networks)
    ]
    leading = _best(near, bound.to)
    if leading is not None:
        return next(Hop(index, hop.gateway) for hop in leading.hops if hop.gateway)
    gateways = {hop.gateway for one in here for hop in one.hops if one.prefix[0] == version}
    gateways.discard(b"")
    return Hop(index, gateways.pop()) if len(gateways) == 1 else None


def _best(routes: Iterable[Found], to: IPAddress) -> Found | None:
    number = int(to)
    holding = [one for one in routes if one.prefix[0] == to.version and _holds(one.prefix, number)]
    return min(holding, key=lambda one: (-one.prefix[2], one.metric, one.hops), default=None)


def _holds(prefix: Prefix, number: int) -> bool:
    shift = _BITS[prefix[0]] - prefix[2]
    return prefix[1] >> shift == number >> shift


def _leads(one: Found, index: int) -> bool:
    return any(hop.interface == index for hop in one.hops)


def _networks(here: Iterable[Found], version: int) -> set[Prefix]:
    """Those that an interface is connected to."""
    return {
        one.prefix
        for one in here
        if one.connected and one.prefix[0] == version and not network_of(one.prefix).is_link_local
    }


def _answers(
    tunnels: Iterable[Bound],
    found: Arranged,
    others: Collection[Found],
    host: Present,
    tunnel_interface: int,
) -> Iterator[ArpSetting]:
    """For uplinks of which another has an address in a network that they are connected to."""
    owners = {
        int(bound.source): index
        for bound in tunnels
        if bound.source.version == 4
        and (index := _owner(bound.source.packed, host, tunnel_interface)) is not None
    }
    for name, index in found.interfaces.items():
        networks = _networks((one for one in others if _leads(one, index)), 4)
        for number, owner in owners.items():
            if owner != index and any(_holds(network, number) for network in networks):
                yield from own_answers(name, index)
                yield from own_answers(host.names[owner], owner)
