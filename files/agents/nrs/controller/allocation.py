"""Which address of a pool is next. Addresses are plain integers here."""

from __future__ import annotations

from collections.abc import Iterable


class Pool:
    """The addresses `first` to `last`, both included, less those that are taken.

    The lowest free one is given first. All below `_lowest` are known to be
    taken, so that filling a pool of n addresses takes n steps, not n squared.
    """

    def __init__(self, first: int, last: int, taken: Iterable[int] = ()) -> None:
        self._first = first
        self._last = last
        self._lowest = first
        self._taken = {address for address in taken if first <= address <= last}

    def next_free(self) -> int | None:
        """The lowest free address, None when there is none. It stays free until `take`."""
        while self._lowest in self._taken:
            self._lowest += 1
        return self._lowest if self._lowest <= self._last else None

    def take(self, address: int) -> None:
        """Count `address` as taken; one outside the pool is of no concern to it."""
        if self._first <= address <= self._last:
            self._taken.add(address)

    def release(self, address: int) -> None:
        """Count `address` as free again."""
        if address in self._taken:
            self._taken.remove(address)
            self._lowest = min(self._lowest, address)
