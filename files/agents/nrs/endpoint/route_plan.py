"""Which routes and rules an endpoint needs on its host. Pure.

A prefix that stands against nothing is a route in the main table, beside the host's own. One that
the host has a route of its own for, such as the default route, or that holds what has to stay
outside (routers, APIs, `tunnel.exclude`) is in a table of its own, and rules lead there:

    32400  to what stays outside      main table
    32401  to what stays outside      unreachable, where that has no way: never through the tunnel
    32410  all                        main table, only what is longer than /L
    32411  all                        own table, only what is /L or longer

The last two are there for each length L in the own table, longest first. So the longest prefix
decides as in one table, and of two equal ones the tunnel's. Replies from outside pass a strict
reverse path filter, as its look-up follows the same rules.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nrs.config.types import IPAddress, IPNetwork
from nrs.system import route
from nrs.system.placing import Plan
from nrs.system.route import MAIN, Found, Prefix, network_of, prefix_of
from nrs.system.rule import Rule

TABLE = 51821
_OUTSIDE, _NOWHERE, _FIRST = 32400, 32401, 32410
_BITS = {4: 32, 6: 128}
EVERYTHING_BITS = 1
"""Up to so many bits a prefix means everything, and not some network that was meant."""


@dataclass(frozen=True)
class Wish:
    """What the configuration wants."""

    routes: Sequence[IPNetwork]
    sources: Mapping[int, bytes]
    """The tunnel address by IP version; prefixes of another version have no route."""
    routers: Mapping[IPAddress, str]
    """By address, what it is the address of: what the tunnels themselves are sent to."""
    services: Mapping[IPAddress, str]
    """The same of APIs and resolvers that the agent asks."""
    exclude: Sequence[IPNetwork] = ()
    advertise: Sequence[IPNetwork] = ()
    """Networks behind this host."""


@dataclass
class _Draft:
    left_out: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def plan(wish: Wish, host: Iterable[Found], interface: int, names: Mapping[int, str]) -> Plan:
    """What leads through `interface`, on a host with these routes of its own.

    `names` are of interfaces.
    """
    draft = _Draft()
    wanted = {prefix_of(network) for network in wish.routes}
    wanted = {prefix for prefix in wanted if prefix[0] in wish.sources}
    if len(wanted) < len(set(wish.routes)):
        draft.left_out.append("tunnel.routes: some are of an IP version without a tunnel address")
    others = [one for one in host if one.interface != interface and one.table == MAIN]
    if wish.advertise:
        draft.left_out += _without_a_way(wish.advertise, others)
    taken = {found.prefix for found in others if found.prefix in wanted}
    for found in others:
        if found.connected:
            name = names.get(found.interface, "another interface")
            wanted -= _around(found.prefix, name, wanted, draft)
    addresses = {prefix_of_address(address): text for address, text in wish.routers.items()}
    for prefix in addresses.keys() & wanted:
        draft.left_out.append(
            f"tunnel.routes: {network_of(prefix)} is the address of {addresses[prefix]}:"
            " the tunnel would run through itself"
        )
        wanted.discard(prefix)
    holders = _Holders(wanted)
    outside = set(addresses)
    for address, text in wish.services.items():
        prefix = prefix_of_address(address)
        holder = holders.longest(prefix)
        if holder is None or holder[2] <= EVERYTHING_BITS:
            outside.add(prefix)
        else:
            draft.warnings.append(
                f"tunnel.routes: {network_of(holder)} holds {address}, {text}:"
                " it cannot be reached while no tunnel is up"
            )
    excluded = {prefix_of(network) for network in wish.exclude}
    outside |= excluded
    own = {prefix for prefix in wanted if prefix in taken or prefix[2] == 0}
    for prefix in outside:
        own |= holders.holding(prefix)
    for prefix in excluded:
        own |= _inside(prefix, wanted)
    rules = _rules(own, {p for p in outside if _Holders(own).touches(p) or _inside(p, own)})
    routes = [
        route.encode(
            prefix,
            interface,
            route.ENDPOINT,
            table=TABLE if prefix in own else MAIN,
            source=wish.sources[prefix[0]],
        )
        for prefix in wanted
    ]
    return Plan(
        frozenset(routes),
        frozenset(rules),
        frozenset(map(prefix_of, (*wish.routes, *wish.advertise))),
        tuple(draft.left_out),
        tuple(draft.warnings),
        wanted=len(set(wish.routes)),
    )


def prefix_of_address(address: IPAddress) -> Prefix:
    """The prefix that is this address alone."""
    return address.version, int(address), _BITS[address.version]


def _around(connected: Prefix, name: str, wanted: set[Prefix], draft: _Draft) -> set[Prefix]:
    """What is left out for a network that the host is in; what lies inside of it is told."""
    if connected in wanted:
        draft.left_out.append(
            f"tunnel.routes: {network_of(connected)} is the network of {name}: it stays there"
        )
    draft.warnings += [
        f"tunnel.routes: {network_of(prefix)} lies in {network_of(connected)}, the network of"
        f" {name}: hosts there with such an address are reached through the tunnel only"
        for prefix in sorted(_inside(connected, wanted))
        if prefix != connected
    ]
    return {connected} & wanted


def _without_a_way(networks: Iterable[IPNetwork], host: Collection[Found]) -> Iterator[str]:
    """What is said to be behind this host, and is not, by its own routes."""
    ways = {found.prefix for found in host if found.prefix[2] > EVERYTHING_BITS}
    for network in networks:
        prefix = prefix_of(network)
        if _Holders(ways).longest(prefix) is None and not _inside(prefix, ways):
            yield f"tunnel.advertise: {network} is not behind this host: it has no route there"


def _inside(outer: Prefix, prefixes: Collection[Prefix]) -> set[Prefix]:
    """Those of `prefixes` that are `outer` or a part of it."""
    version, number, bits = outer
    shift = _BITS[version] - bits
    high = number >> shift
    return {p for p in prefixes if p[2] >= bits and p[0] == version and p[1] >> shift == high}


class _Holders:
    """Looks up the prefixes that an address or network lies in."""

    def __init__(self, prefixes: Collection[Prefix]) -> None:
        self._prefixes = prefixes
        self._lengths = sorted({(version, bits) for version, _, bits in prefixes}, reverse=True)

    def holding(self, inner: Prefix) -> set[Prefix]:
        """All of them."""
        version, number, most = inner
        found = set()
        for of, bits in self._lengths:
            if of == version and bits <= most:
                shift = _BITS[version] - bits
                prefix = version, number >> shift << shift, bits
                if prefix in self._prefixes:
                    found.add(prefix)
        return found

    def longest(self, inner: Prefix) -> Prefix | None:
        """The one that decides."""
        return max(self.holding(inner), key=lambda prefix: prefix[2], default=None)

    def touches(self, inner: Prefix) -> bool:
        """Whether there is one."""
        return bool(self.holding(inner))


def _rules(own: Collection[Prefix], outside: Collection[Prefix]) -> list[Rule]:
    rules = []
    for prefix in outside:
        rules.append(Rule(prefix[0], _OUTSIDE, MAIN, to=prefix))
        rules.append(Rule(prefix[0], _NOWHERE, to=prefix))
    for version in _BITS:
        lengths = sorted({p[2] for p in own if p[0] == version}, reverse=True)
        for index, bits in enumerate(lengths):
            priority = _FIRST + 2 * index
            rules.append(Rule(version, priority, MAIN, longer_than=bits))
            longer = bits - 1 if bits else None
            rules.append(Rule(version, priority + 1, TABLE, longer_than=longer))
    return rules
