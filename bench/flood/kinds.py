"""The kinds of floods, and at which rates each comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Network

from bench.flood import junk
from bench.flood.junk import Junk, Source
from bench.flood.site import ENDPOINT, MANY, NEIGHBOURS, ONE

MOST = 0
"""As many a second as one core sends."""
RATES = [200_000, MOST]
OWN_RATE = 50_000
HANDSHAKE_RATE = 20_000
HANDSHAKE = "handshake"
_OWN = IPv6Network(ENDPOINT)


@dataclass(frozen=True)
class Kind:
    """What is sent, and whom it says it comes from, where a session sends from a port."""

    junk: Callable[[int, bytes], Junk]
    """Of the session's port and a datagram of its."""
    source: Callable[[int], Source]
    own: bool = False
    """It says that it comes from the session's own address and port: nothing tells it apart."""


def _index(_: int, __: bytes) -> Junk:
    return junk.random_index()


def _tag(_: int, seen: bytes) -> Junk:
    return junk.wrong_tag(seen)


def _hello(_: int, __: bytes) -> Junk:
    return junk.hello()


def _from(network: IPv6Network, port: int = 0) -> Callable[[int], Source]:
    return lambda _: Source(network, port)


KINDS = {
    "index": Kind(_index, _from(ONE)),
    "tag": Kind(_tag, _from(ONE)),
    "hello": Kind(_hello, _from(ONE)),
    "hello-many": Kind(_hello, _from(MANY)),
    "own": Kind(_tag, lambda port: Source(_OWN, port), own=True),
}
"""While a session carries a flow."""
DROPPED = "dropped"
HANDSHAKES = {
    DROPPED: Source(MANY),
    "from the same /64": Source(NEIGHBOURS),
    "from many": Source(MANY),
    "from its own address": Source(_OWN),
}
"""Junk HELLOs while an endpoint wants a session: dropped by nftables, or from whom they are."""


@dataclass(frozen=True)
class Flood:
    """A kind at a rate, `MOST` or so many a second."""

    name: str
    rate: int

    @property
    def kind(self) -> Kind:
        return KINDS[self.name]

    def __str__(self) -> str:
        return f"{self.name} {self.rate or 'most'}"


def floods(names: list[str], rates: list[int]) -> list[Flood]:
    """Those of the kinds asked for. One that nothing tells apart comes at a rate of its own."""
    return [
        Flood(name, rate)
        for name in names
        if name in KINDS
        for rate in ([OWN_RATE] if KINDS[name].own else rates)
    ]
