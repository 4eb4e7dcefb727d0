"""The replay window of one lane: a bitmap of received sequence numbers (RFC 6479)."""

from __future__ import annotations

WINDOW = 8192
"""How far behind the highest number a datagram may arrive."""
_BLOCK_BITS = 8
_BLOCKS = WINDOW // _BLOCK_BITS + 8
_NUMBERS_BYTES = 16
WINDOW_BYTES = _NUMBERS_BYTES + _BLOCKS
"""Memory of a window: highest number and count of those received (u64 in host order), bitmap."""


class ReplayWindow:
    """Accepts every sequence number from 1 up once.

    The bitmap is a ring a little longer than the window, so that moving forward clears whole
    bytes and never shifts (RFC 6479 section 2).
    """

    __slots__ = ("_bits", "_numbers")

    def __init__(self, memory: memoryview | None = None) -> None:
        """`memory` holds WINDOW_BYTES, and nothing of the window is elsewhere."""
        room = memory or memoryview(bytearray(WINDOW_BYTES))
        self._numbers = room[:_NUMBERS_BYTES].cast("Q")
        self._bits = room[_NUMBERS_BYTES:]

    @property
    def highest(self) -> int:
        """The highest number accepted."""
        return self._numbers[0]

    @property
    def received(self) -> int:
        """How many have been accepted."""
        return self._numbers[1]

    def accept(self, sequence: int) -> bool:
        """Record `sequence`; False when it was seen before or is too old. Call after the tag."""
        block = sequence >> 3
        highest = self._numbers[0]
        if sequence > highest:
            # Raised first: whoever goes on from here rejects a few numbers too many, not too few.
            self._numbers[0] = sequence
            ahead = block - (highest >> 3)
            if ahead:
                bits = self._bits
                if ahead == 1:
                    bits[block % _BLOCKS] = 0
                elif ahead >= _BLOCKS:
                    bits[:] = bytes(_BLOCKS)
                else:
                    for passed in range(block - ahead + 1, block + 1):
                        bits[passed % _BLOCKS] = 0
        elif sequence <= highest - WINDOW or sequence == 0:
            return False
        bit = 1 << (sequence & 7)
        slot = block % _BLOCKS
        if self._bits[slot] & bit:
            return False
        self._bits[slot] |= bit
        self._numbers[1] += 1
        return True

    def extend(self, count: int) -> None:
        """Record the `count` numbers that follow the highest one. Call after the tags."""
        before = self._numbers[0]
        first, last = before + 1, before + count
        self._numbers[0] = last
        for block in range(first >> 3, (last >> 3) + 1):
            low = first & 7 if block == first >> 3 else 0
            high = last & 7 if block == last >> 3 else 7
            mask = (2 << high) - (1 << low)
            slot = block % _BLOCKS
            # The first number of a block takes the place of what the ring held there.
            self._bits[slot] = self._bits[slot] | mask if low else mask
        self._numbers[1] += count
