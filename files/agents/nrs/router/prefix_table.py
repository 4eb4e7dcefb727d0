"""Which session a network behind an endpoint belongs to. Pure.

No two of them overlap, so they lie in a row, and one search finds the only one that an address can
be in.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import NamedTuple

from nrs.config.types import IPNetwork


class _Held(NamedTuple):
    last: int
    """Its last address as a number."""
    network: IPNetwork
    session: int


class PrefixTable:
    """Networks of both IP versions; sessions are named by their index."""

    def __init__(self) -> None:
        self._firsts: dict[int, list[int]] = {4: [], 16: []}
        """First addresses as numbers, ascending, by the bytes of an address."""
        self._held: dict[int, list[_Held]] = {4: [], 16: []}
        """In the same order."""

    def __bool__(self) -> bool:
        return any(self._firsts.values())

    def session_of(self, address: bytes) -> int:
        """The session that an address of 4 or 16 bytes belongs to, 0: none."""
        firsts = self._firsts.get(len(address), [])
        number = int.from_bytes(address, "big")
        at = bisect_right(firsts, number) - 1
        if at < 0:
            return 0
        held = self._held[len(address)][at]
        return held.session if number <= held.last else 0

    def overlapping(self, network: IPNetwork) -> list[int]:
        """The sessions that have a part of it."""
        held = self._held[len(network.network_address.packed)]
        return [held[at].session for at in self._span(network)]

    def get(self, network: IPNetwork) -> int:
        """The session that has this very network, 0: none."""
        held = self._held[len(network.network_address.packed)]
        return next(
            (held[at].session for at in self._span(network) if held[at].network == network), 0
        )

    def put(self, network: IPNetwork, session: int) -> None:
        """It is that session's from now on, and what overlaps it nobody's."""
        size, span = len(network.network_address.packed), self._span(network)
        first, last = int(network.network_address), int(network.broadcast_address)
        self._firsts[size][span.start : span.stop] = [first]
        self._held[size][span.start : span.stop] = [_Held(last, network, session)]

    def drop(self, network: IPNetwork, session: int) -> None:
        """It is nobody's any more, if it was that session's."""
        if self.get(network) == session:
            size, span = len(network.network_address.packed), self._span(network)
            del self._firsts[size][span.start]
            del self._held[size][span.start]

    def _span(self, network: IPNetwork) -> range:
        """Where those stand that overlap it, or where it would."""
        size = len(network.network_address.packed)
        firsts, held = self._firsts[size], self._held[size]
        first, last = int(network.network_address), int(network.broadcast_address)
        start = bisect_left(firsts, first)
        if start and held[start - 1].last >= first:
            start -= 1
        return range(start, bisect_right(firsts, last))
