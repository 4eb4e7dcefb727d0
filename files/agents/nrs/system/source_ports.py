"""Source ports of UDP that masquerading may give, as tunnels have some for themselves. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

PortRange = tuple[int, int]
"""The first port and the last one."""

_CLASSES = ((1, 511), (512, 1023), (1024, 65535))
"""As the kernel has them: a port that is taken gives way to another of its class."""
_FEWEST = 64
"""Ports of a range: in a small one there may be none left, and in one of a single port the kernel
does not look whether it is free."""


def kept(taken: Iterable[int]) -> list[PortRange]:
    """Ranges without `taken` whose ports stay what they are, or in their range at least."""
    taken = sorted(taken)
    edges = [
        (first - 1, *(port for port in taken if first <= port <= last), last + 1)
        for first, last in _CLASSES
    ]
    return [
        (low + 1, high - 1) for one in edges for low, high in pairwise(one) if high - low > _FEWEST
    ]


def others(ranges: Iterable[PortRange]) -> list[PortRange]:
    """What `kept` has left out of all 16 bits."""
    edges = sorted([(-1, -1), *ranges, (65536, 65536)])
    return [(low + 1, high - 1) for (_, low), (high, _) in pairwise(edges) if high - low > 1]


def widest(ranges: Iterable[PortRange]) -> PortRange:
    """Where the others go."""
    return max(ranges, key=lambda one: one[1] - one[0])
