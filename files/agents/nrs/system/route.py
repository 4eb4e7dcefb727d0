"""Routes as messages of rtnetlink. Pure.

body        family | bits | 0 | 0 | table | protocol | scope | type | flags (u32)
            destination, interface, source, metric, table (attributes)

Every route of the agents carries one of two protocol numbers that nobody else has, so that theirs
are told from anybody's: `ip route show proto 82 table all`.
"""

from __future__ import annotations

import ipaddress
import struct
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
HEADER_BYTES = _ROUTE.size
_U32 = struct.Struct("=I")
DESTINATION = 1
_OIF, _GATEWAY, _METRIC, _SOURCE, _MULTIPATH, _TABLE, _VIA = 4, 5, 6, 7, 9, 15, 18
_UNICAST = 1
_KERNEL, _ADVERTISED = 2, 9
_WIDE_TABLE = 252
"""In the byte where numbers up to 255 stand, for one that is in its attribute."""

Prefix = tuple[int, int, int]
"""IP version, number of the network, bits."""


class Found(NamedTuple):
    """A route that the host has."""

    prefix: Prefix
    protocol: int
    interface: int
    connected: bool
    """The kernel made it from an address of the host: all of the network is on that link."""


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
) -> bytes:
    """The body of a route of ours, which is the same for the same route: it can be looked up."""
    version, number, bits = prefix
    destination = number.to_bytes(4 if version == 4 else 16, "big") if bits else b""
    return _encode(FAMILY[version], bits, destination, interface, source, METRIC, table, protocol)


def _encode(
    family: int,
    bits: int,
    destination: bytes,
    interface: int,
    source: bytes,
    metric: int,
    table: int,
    protocol: int,
) -> bytes:
    short = table if table < 256 else _WIDE_TABLE
    return b"".join(
        (
            _ROUTE.pack(family, bits, 0, 0, short, protocol, 0, _UNICAST, 0),
            netlink.attribute(DESTINATION, destination) if destination else b"",
            netlink.attribute(_OIF, _U32.pack(interface)),
            netlink.attribute(_SOURCE, source) if source else b"",
            netlink.attribute(_METRIC, _U32.pack(metric)),
            netlink.attribute(_TABLE, _U32.pack(table)),
        )
    )


def add(body: bytes) -> bytes:
    """The request to add a route; refused with EEXIST where there is one of that metric."""
    flags = netlink.REQUEST | netlink.CREATE | netlink.EXCLUSIVE
    return netlink.message(NEW_ROUTE, flags, 0, body)


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
        _number(found, _OIF),
        found.get(_SOURCE, b""),
        _number(found, _METRIC),
        _number(found, _TABLE) or table,
        protocol,
    )


def decode(body: bytes) -> Found | None:
    """A route as the kernel tells it; None for one that is no unicast route of an IP version."""
    family, bits, _, _, _, protocol, _, kind, _ = _ROUTE.unpack_from(body)
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
    )


def protocol_of(body: bytes) -> int:
    """Who has added it; quicker than `decode`."""
    return body[5]


def table_of(body: bytes) -> int:
    """The table, of those up to 255; quicker than `decode`."""
    return body[4]


def _number(found: dict[int, bytes], kind: int) -> int:
    value = found.get(kind, b"")
    return int(_U32.unpack(value)[0]) if len(value) == _U32.size else 0
