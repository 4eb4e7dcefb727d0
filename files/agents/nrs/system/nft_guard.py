"""Rules around the TUN device: what may come out of tunnels, and what may go into them. Pure.

    out of tunnels to         lets pass
    a protected network       nothing, whatever NAT would make of it
    the host itself           ICMP and ICMPv6 echo, ICMPv6 errors, `allow_input`
    elsewhere                 the egress, and other tunnels with `client_to_client`
    into tunnels from
    elsewhere                 the egress, and other tunnels with `client_to_client`

What belongs to a connection that was let begin passes everywhere. The rest is dropped and counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nrs.config.types import IPNetwork
from nrs.system.nft_sets import by_protocol

DENIED = "denied"
"""The counter of packets that were dropped here."""

_BEFORE_NAT = -150
"""After connection tracking (-200), before DNAT (-100), as in nft(8), "mangle"."""
_FILTER = 0
_BEFORE_COUNTING = -160
_ECHO_REQUEST = "echo-request"
_ICMPV6_ERRORS = (
    "destination-unreachable",
    "packet-too-big",
    "time-exceeded",
    "parameter-problem",
)
"""Without these IPv6 does not work (RFC 4890, section 4.4.1)."""

Expression = list[dict[str, Any]]


@dataclass(frozen=True)
class Opening:
    """A port of the host that is open to tunnels."""

    proto: str
    port: int


@dataclass(frozen=True)
class Guard:
    """What differs from the table above; nothing where nothing was opted in."""

    protected: tuple[IPNetwork, ...] = ()
    allow_input: tuple[Opening, ...] = ()
    client_to_client: bool = False


def ruleset(table: str, tunnel: str, egress: str, guard: Guard) -> list[dict[str, Any]]:
    """Commands that add the rules, in chains of their own, to the table of family inet.

    A chain that has no rules is removed: it would cost every packet of the host a look.
    """
    chains = {
        "guard_prerouting": ("prerouting", _BEFORE_NAT, _before_nat(tunnel, guard.protected)),
        "guard_input": ("input", _FILTER, _input(tunnel, guard.allow_input)),
        "guard_forward": ("forward", _BEFORE_COUNTING, _forwarded(tunnel, egress, guard)),
    }
    place = {"family": "inet", "table": table}
    commands: list[dict[str, Any]] = [{"add": {"counter": {**place, "name": DENIED}}}]
    for name, (hook, priority, expressions) in chains.items():
        chain = {**place, "name": name}
        rules = [{"add": {"rule": {**place, "chain": name, "expr": e}}} for e in expressions]
        if rules:
            kind = {"type": "filter", "hook": hook, "prio": priority, "policy": "accept"}
            commands += [{"add": {"chain": {**chain, **kind}}}, *rules]
        else:  # to delete one that is not there would be an error
            commands += [{"add": {"chain": chain}}, {"delete": {"chain": chain}}]
    return commands


def _before_nat(tunnel: str, protected: Sequence[IPNetwork]) -> Iterator[Expression]:
    for protocol, networks in by_protocol(protected).items():
        if networks:
            yield [
                _is({"meta": {"key": "iifname"}}, tunnel),
                _begins(),
                _is({"payload": {"protocol": protocol, "field": "daddr"}}, {"set": networks}),
                *_denied(),
            ]


def _input(tunnel: str, openings: Sequence[Opening]) -> Iterator[Expression]:
    from_tunnel = _is({"meta": {"key": "iifname"}}, tunnel)
    passing: list[Expression] = [
        [_is({"payload": {"protocol": "icmp", "field": "type"}}, _ECHO_REQUEST)],
        [
            _is(
                {"payload": {"protocol": "icmpv6", "field": "type"}},
                {"set": [_ECHO_REQUEST, *_ICMPV6_ERRORS]},
            )
        ],
        *(
            [_is({"payload": {"protocol": opening.proto, "field": "dport"}}, opening.port)]
            for opening in openings
        ),
    ]
    for expression in passing:
        yield [from_tunnel, *expression, {"accept": None}]
    yield [from_tunnel, _begins(), *_denied()]


def _forwarded(tunnel: str, egress: str, guard: Guard) -> Iterator[Expression]:
    others = {"set": [egress, tunnel]} if guard.client_to_client else egress
    for near, far in (("iifname", "oifname"), ("oifname", "iifname")):
        yield [
            _is({"meta": {"key": near}}, tunnel),
            _is({"meta": {"key": far}}, others, op="!="),
            _begins(),
            *_denied(),
        ]


def _begins() -> dict[str, Any]:
    """Also what connection tracking does not know at all."""
    state = {"set": ["established", "related"]}
    return _is({"ct": {"key": "state"}}, state, op="!=")


def _denied() -> Expression:
    return [{"counter": DENIED}, {"drop": None}]


def _is(left: dict[str, Any], right: object, *, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": left, "right": right}}
