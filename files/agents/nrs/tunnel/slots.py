"""Which places of a table in memory are free. Pure."""

from __future__ import annotations

from collections.abc import Iterable


class Slots:
    """Numbers from 0 to `most` - 1; those given back are taken again first."""

    def __init__(self, most: int, used: Iterable[int] = ()) -> None:
        """`used` are taken already."""
        taken = set(used)
        self._most = most
        self._fresh = max(taken, default=-1) + 1
        """From here on none has been taken yet."""
        self._free = [number for number in reversed(range(self._fresh)) if number not in taken]

    def take(self) -> int | None:
        """A free one; None where there is none."""
        if self._free:
            return self._free.pop()
        if self._fresh == self._most:
            return None
        self._fresh += 1
        return self._fresh - 1

    def give_back(self, number: int) -> None:
        """It is free again."""
        self._free.append(number)
