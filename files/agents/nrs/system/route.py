"""Routes as messages of rtnetlink. Pure.

body        family | bits | 0 | 0 | table | protocol | scope | type | flags (u32)
            destination, interface, source, metric, table (attributes)

Every route of the agents carries one of two protocol numbers that nobody else has, so that theirs
are told from anybody's: `ip route show proto 82 table all`.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from typing import NamedTuple

from nrs.config.types import IPNetwork
from nrs.system import netlink

NEW_ROUTE, DEL_ROUTE, GET_ROUTE = 24, 25, 26
ENDPOINT, ROUTER = 82, 83
"""Routing protocol numbers of the routes and rules of access endpoints, of routing servers."""
METRIC = 82
"""Beside a route of the same prefix that is not ours: never in its place."""
MAIN = 254
FAMILY = {4: netlink.INET, 6: netlink.INET6}
VERSION = {family: version for version, family in FAMILY.items()}

_ROUTE = struct.Struct("=BBBBBBBBI")
_U16, _U32 = struct.Struct("=H"), struct.Struct("=I")
_NEXT_HOP = struct.Struct("=HxxI")
_IPV6_BYTES = 16
DESTINATION = 1
_OIF, _GATEWAY, _METRIC, _SOURCE, _MULTIPATH, _TABLE, _VIA = 4, 5, 6, 7, 9, 15, 18
_UNICAST = 1
_ON_LINK = 4
_KERNEL, _ADVERTISED = 2, 9
_LINK = 253
"""A scope."""
_IPV6_METRIC = 256
"""The kernel's."""
_WIDE_TABLE = 252
"""In the byte where numbers up to 255 stand, for one that is in its attribute."""

Prefix = tuple[int, int, int]
"""IP version, number of the network, bits."""


class Hop(NamedTuple):
    """Where a route leads to."""

    interface: int
    gateway: bytes
    """Packed; an IPv4 route may have an IPv6 one (RFC 5549). Empty: the destination itself."""


class Found(NamedTuple):
    """A route that the host has."""

    prefix: Prefix
    protocol: int
    interface: int
    connected: bool
    """The kernel made it from an address of the host: all of the network is on that link."""
    hops: tuple[Hop, ...] = ()
    metric: int = 0
    table: int = MAIN


def prefix_of(network: IPNetwork) -> Prefix:
    """The same as numbers, which are quick to compare."""
    return network.version, int(network.network_address), network.prefixlen


def network_of(prefix: Prefix) -> IPNetwork:
    """The same for people."""
    version, number, bits = prefix
    if version == 4:
        return ipaddress.IPv4Network((number, bits))
    return ipaddress.IPv6Network((number, bits))


def encode(
    prefix: Prefix,
    interface: int,
    protocol: int,
    *,
    table: int = MAIN,
    source: bytes = b"",
    gateway: bytes = b"",
) -> bytes:
    """The body of a route of ours, which is the same for the same route: it can be looked up."""
    version, number, bits = prefix
    destination = number.to_bytes(4 if version == 4 else 16, "big") if bits else b""
    hop = Hop(interface, gateway)
    return _encode(FAMILY[version], bits, destination, hop, source, METRIC, table, protocol)


def connected(prefix: Prefix, interface: int, source: bytes) -> bytes:
    """The body of the route that the kernel makes where an interface gets an address."""
    version, number, bits = prefix
    destination = number.to_bytes(len(source), "big")
    hop, metric = Hop(interface, b""), 0 if version == 4 else _IPV6_METRIC
    source, scope = (source, _LINK) if version == 4 else (b"", 0)
    return _encode(
        FAMILY[version], bits, destination, hop, source, metric, MAIN, _KERNEL, scope=scope
    )


def _encode(
    family: int,
    bits: int,
    destination: bytes,
    hop: Hop,
    source: bytes,
    metric: int,
    table: int,
    protocol: int,
    *,
    scope: int = 0,
) -> bytes:
    short = table if table < 256 else _WIDE_TABLE
    # A gateway is on that link, also where no network of the interface has it.
    flags = _ON_LINK if hop.gateway else 0
    return b"".join(
        (
            _ROUTE.pack(family, bits, 0, 0, short, protocol, scope, _UNICAST, flags),
            netlink.attribute(DESTINATION, destination) if destination else b"",
            _leading(family, hop.gateway),
            netlink.attribute(_OIF, _U32.pack(hop.interface)),
            netlink.attribute(_SOURCE, source) if source else b"",
            netlink.attribute(_METRIC, _U32.pack(metric)) if metric else b"",
            netlink.attribute(_TABLE, _U32.pack(table)),
        )
    )


def _leading(family: int, gateway: bytes) -> bytes:
    if family == netlink.INET and len(gateway) == _IPV6_BYTES:
        return netlink.attribute(_VIA, _U16.pack(netlink.INET6) + gateway)
    return netlink.attribute(_GATEWAY, gateway) if gateway else b""


def add(body: bytes) -> bytes:
    """The request to add a route; EEXIST where a table of the host has one of that metric.

    In a table of ours that one is replaced: somebody has put it there in the place of ours. An
    IPv4 network that several interfaces are connected to has a route by each, as the kernel does.
    """
    if body[4] == _WIDE_TABLE:
        how = netlink.REPLACE
    elif body[0] == netlink.INET and protocol_of(body) == _KERNEL:
        how = netlink.APPEND
    else:
        how = netlink.EXCLUSIVE
    return netlink.message(NEW_ROUTE, netlink.REQUEST | netlink.CREATE | how, 0, body)


def remove(body: bytes) -> bytes:
    """The request to remove a route, if it carries that protocol number; else refused (ESRCH)."""
    return netlink.message(DEL_ROUTE, netlink.REQUEST, 0, body)


def question(version: int, table: int = 0, protocol: int = 0, interface: int = 0) -> bytes:
    """The body of GET_ROUTE, for those of a table, protocol or interface; 0 is all."""
    header = _ROUTE.pack(FAMILY[version], 0, 0, 0, 0, protocol, 0, 0, 0)
    number = netlink.attribute(_TABLE, _U32.pack(table)) if table else b""
    leaving = netlink.attribute(_OIF, _U32.pack(interface)) if interface else b""
    return header + number + leaving


def canonical(body: bytes) -> bytes:
    """The body of a route of ours as `encode` makes it, from one that the kernel has told."""
    family, bits, _, _, table, protocol, _, _, _ = _ROUTE.unpack_from(body)
    found = netlink.attributes(body, _ROUTE.size)
    return _encode(
        family,
        bits,
        found.get(DESTINATION, b""),
        _hop(found, _number(found, _OIF)),
        found.get(_SOURCE, b""),
        _number(found, _METRIC),
        _number(found, _TABLE) or table,
        protocol,
    )


def decode(body: bytes) -> Found | None:
    """A route as the kernel tells it; None for one that is no unicast route of an IP version."""
    family, bits, _, _, table, protocol, _, kind, _ = _ROUTE.unpack_from(body)
    version = VERSION.get(family)
    if version is None or kind != _UNICAST:
        return None
    found = netlink.attributes(body, _ROUTE.size)
    direct = not found.keys() & {_GATEWAY, _MULTIPATH, _VIA}
    return Found(
        (version, int.from_bytes(found.get(DESTINATION, b""), "big"), bits),
        protocol,
        _number(found, _OIF),
        direct and bits > 0 and protocol in {_KERNEL, _ADVERTISED},
        tuple(_hops(found)),
        _number(found, _METRIC),
        _number(found, _TABLE) or table,
    )


def _hops(found: dict[int, bytes]) -> Iterator[Hop]:
    """One, or those among which the kernel chooses by flow."""
    several, offset = found.get(_MULTIPATH, b""), 0
    if not several:
        yield _hop(found, _number(found, _OIF))
    while offset + _NEXT_HOP.size <= len(several):
        length, interface = _NEXT_HOP.unpack_from(several, offset)
        if length < _NEXT_HOP.size:
            return
        end = offset + length
        yield _hop(netlink.attributes(several[:end], offset + _NEXT_HOP.size), interface)
        offset = (end + 3) & ~3


def _hop(found: dict[int, bytes], interface: int) -> Hop:
    return Hop(interface, found.get(_GATEWAY) or found.get(_VIA, b"")[_U16.size :])


def metric_of(body: bytes) -> int:
    """Of a route of any kind, as of a blackhole."""
    return _number(netlink.attributes(body, _ROUTE.size), _METRIC)


def protocol_of(body: bytes) -> int:
    """Who has added it; quicker than `decode`."""
    return body[5]


def _number(found: dict[int, bytes], kind: int) -> int:
    value = found.get(kind, b"")
    return int(_U32.unpack(value)[0]) if len(value) == _U32.size else 0
