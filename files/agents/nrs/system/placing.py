"""What is to be in place on a host, and the requests that bring it there. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from nrs.system import interface, route, rule
from nrs.system.arp import ArpSetting
from nrs.system.route import Found, Prefix, network_of
from nrs.system.rule import Rule


@dataclass(frozen=True)
class Plan:
    """Routes and rules, the former as their bodies (`route.encode`)."""

    routes: Collection[bytes] = frozenset()
    rules: Collection[Rule] = frozenset()
    prefixes: Collection[Prefix] = frozenset()
    """Where a route of somebody else would make another plan."""
    left_out: Sequence[str] = ()
    """What is wanted and not in the plan, and why; a sentence for each."""
    warnings: Sequence[str] = ()
    """What is in the plan and may not be what was meant."""
    beside: Collection[bytes] = frozenset()
    """More routes, which are none of those that were asked for."""
    settings: Collection[ArpSetting] = frozenset()
    interfaces: Collection[int] = frozenset()
    """Whose links, addresses and routes make another plan, beside our own's."""
    sources: Collection[bytes] = frozenset()
    """Addresses, packed, that make another plan where they come to an interface."""
    wanted: int = 0
    """How many prefixes are asked for, in the plan or left out."""


class Address(NamedTuple):
    """An address of an interface: packed, and the bits of its network."""

    packed: bytes
    bits: int


class Connected(NamedTuple):
    """The route that the kernel makes to an address's own network."""

    prefix: Prefix
    source: bytes
    """The address, packed."""


class Up(NamedTuple):
    """The interface is up."""


Thing = bytes | Rule | Address | Connected | Up | ArpSetting
"""What can be in its place or not; bytes are a route."""


@dataclass
class Present:
    """What a host has."""

    things: set[Thing] = field(default_factory=set)
    """Of ours, and of the interface."""
    others: list[Found] = field(default_factory=list)
    """Routes of anybody else, in all tables."""
    addresses: list[tuple[int, bytes]] = field(default_factory=list)
    """Of all interfaces, by index and packed."""
    up: set[int] = field(default_factory=set)
    """Interfaces that are."""
    names: Mapping[int, str] = field(default_factory=dict)
    """Of its interfaces, by index."""


def own_network(packed: bytes, bits: int) -> set[Thing]:
    """An address and, where it has a network, the route to that."""
    address = ipaddress.ip_address(packed)
    whole = ipaddress.ip_network((packed, bits), strict=False)
    own: set[Thing] = {Address(packed, bits)}
    if bits < address.max_prefixlen:
        own.add(Connected(route.prefix_of(whole), packed))
    return own


def additions(things: Iterable[Thing], index: int, protocol: int) -> list[tuple[Thing, bytes]]:
    """With the request for each, in an order in which each finds what it needs."""
    ordered = sorted(things, key=_need)
    return [(thing, _addition(thing, index, protocol)) for thing in ordered]


def removals(things: Iterable[Thing], protocol: int) -> list[bytes]:
    """The requests to remove routes and rules: what leads to a route goes before it."""
    rules, bodies = [], []
    for thing in things:
        if isinstance(thing, Rule):
            rules.append(thing)
        elif isinstance(thing, bytes):
            bodies.append(thing)
    rules.sort(key=lambda one: -one.priority)
    return [rule.remove(one, protocol) for one in rules] + [route.remove(one) for one in bodies]


def describe(things: Collection[Thing]) -> str:
    """For people; of many only the first."""
    texts = sorted(_text(thing) for thing in things)
    shown = ", ".join(texts[:3])
    return shown if len(texts) <= 3 else f"{shown} and {len(texts) - 3} more"


def _need(thing: Thing) -> tuple[int, int]:
    if isinstance(thing, Up):
        return 0, 0
    if isinstance(thing, Address):
        return 1, 0
    if isinstance(thing, Connected):
        return 1, 1
    return (3, thing.priority) if isinstance(thing, Rule) else (2, 0)


def _addition(thing: Thing, index: int, protocol: int) -> bytes:
    if isinstance(thing, bytes):
        return route.add(thing)
    if isinstance(thing, Rule):
        return rule.add(thing, protocol)
    if isinstance(thing, Address):
        return interface.add_address(index, thing.packed, thing.bits)
    if isinstance(thing, Connected):
        return route.add(route.connected(thing.prefix, index, thing.source))
    if isinstance(thing, ArpSetting):
        return interface.set_ipv4(thing.link, thing.key, thing.least)
    return interface.bring_up(index)


def _text(thing: Thing) -> str:
    if isinstance(thing, bytes):
        found = route.decode(thing)
        if found is None:
            return "a route"
        table = "" if found.table == route.MAIN else f" table {found.table}"
        return f"route {network_of(found.prefix)}{table}"
    if isinstance(thing, Rule):
        return f"rule {thing}"
    if isinstance(thing, ArpSetting):
        return f"setting {thing.name}={thing.least}"
    if isinstance(thing, Connected):
        return f"route {network_of(thing.prefix)}"
    if isinstance(thing, Address):
        return f"address {ipaddress.ip_address(thing.packed)}/{thing.bits}"
    return "its being up"
