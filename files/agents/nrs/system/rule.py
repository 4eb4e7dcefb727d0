"""Rules that say in which table a route is looked up (rtnetlink, linux/fib_rules.h). Pure."""

from __future__ import annotations

import struct
from typing import NamedTuple

from nrs.system import netlink
from nrs.system.route import FAMILY, VERSION, Prefix, network_of

NEW_RULE, DEL_RULE, GET_RULE = 32, 33, 34
LOOKUP, UNREACHABLE = 1, 7

_RULE = struct.Struct("=BBBBBBBBI")
_U32 = struct.Struct("=I")
_TO, _FROM, _PRIORITY, _SUPPRESS, _TABLE, _PROTOCOL = 1, 2, 6, 14, 15, 21
_NONE = 0xFFFFFFFF
_WIDE_TABLE = 252


class Rule(NamedTuple):
    """In the order of their priorities, the first that finds a route decides."""

    version: int
    priority: int
    table: int = 0
    """0: what it matches is unreachable."""
    to: Prefix | None = None
    longer_than: int | None = None
    """Only routes of more bits than that are found."""
    source: Prefix | None = None

    def __str__(self) -> str:
        source = f" from {network_of(self.source)}" if self.source else ""
        to = f" to {network_of(self.to)}" if self.to else ""
        table = f" table {self.table}" if self.table else ""
        return f"{self.priority}:{source}{to}{table}"


def add(rule: Rule, protocol: int) -> bytes:
    """The request to add a rule with a protocol number; EEXIST where there is the same."""
    flags = netlink.REQUEST | netlink.CREATE | netlink.EXCLUSIVE
    return netlink.message(NEW_RULE, flags, 0, _encode(rule, protocol))


def remove(rule: Rule, protocol: int) -> bytes:
    """The request to remove a rule that carries that protocol number."""
    return netlink.message(DEL_RULE, netlink.REQUEST, 0, _encode(rule, protocol))


def question(version: int) -> bytes:
    """The body of GET_RULE."""
    return _RULE.pack(FAMILY[version], 0, 0, 0, 0, 0, 0, 0, 0)


def _encode(rule: Rule, protocol: int) -> bytes:
    bits = rule.to[2] if rule.to else 0
    source_bits = rule.source[2] if rule.source else 0
    action = LOOKUP if rule.table else UNREACHABLE
    short = rule.table if rule.table < 256 else _WIDE_TABLE
    body = _RULE.pack(FAMILY[rule.version], bits, source_bits, 0, short, 0, 0, action, 0)
    for kind, prefix in ((_TO, rule.to), (_FROM, rule.source)):
        if prefix is not None and prefix[2]:
            number = prefix[1].to_bytes(4 if rule.version == 4 else 16, "big")
            body += netlink.attribute(kind, number)
    body += netlink.attribute(_PRIORITY, _U32.pack(rule.priority))
    if rule.longer_than is not None:
        body += netlink.attribute(_SUPPRESS, _U32.pack(rule.longer_than))
    if rule.table:
        body += netlink.attribute(_TABLE, _U32.pack(rule.table))
    return body + netlink.attribute(_PROTOCOL, bytes([protocol]))


def decode(body: bytes) -> tuple[Rule, int] | None:
    """A rule as the kernel tells it, and its protocol number; None for one of another kind."""
    family, bits, source_bits, _, short, _, _, action, _ = _RULE.unpack_from(body)
    version = VERSION.get(family)
    if version is None or action not in {LOOKUP, UNREACHABLE}:
        return None
    found = netlink.attributes(body, _RULE.size)
    table = _number(found, _TABLE, short) if action == LOOKUP else 0
    longer = _number(found, _SUPPRESS, _NONE)
    rule = Rule(
        version,
        _number(found, _PRIORITY, 0),
        table,
        _prefix(version, found.get(_TO, b""), bits),
        None if longer == _NONE else longer,
        _prefix(version, found.get(_FROM, b""), source_bits),
    )
    return rule, found.get(_PROTOCOL, b"\0")[0]


def _prefix(version: int, packed: bytes, bits: int) -> Prefix | None:
    return (version, int.from_bytes(packed, "big"), bits) if bits else None


def _number(found: dict[int, bytes], kind: int, default: int) -> int:
    value = found.get(kind, b"")
    return int(_U32.unpack(value)[0]) if len(value) == _U32.size else default
