"""A histogram in plain text."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

EDGES_MS = (5, 10, 20, 30, 40, 50, 60, 80, 100, 150, 250, 500, 1000, 2000)
_WIDTH = 40


def counts(values: Sequence[float], edges: Sequence[float] = EDGES_MS) -> list[int]:
    """How many are below the first edge, from each edge up to the next, and above the last."""
    found = [0] * (len(edges) + 1)
    for value in values:
        found[bisect_right(edges, value)] += 1
    return found


def lines(values: Sequence[float], edges: Sequence[float] = EDGES_MS) -> list[str]:
    """A bar for each range, from the first to the last that has any."""
    found = counts(values, edges)
    present = [index for index, count in enumerate(found) if count]
    if not present:
        return []
    names = [f"< {edges[0]:g}"]
    names += [f"{low:g}-{high:g}" for low, high in pairwise(edges)]
    names += [f">= {edges[-1]:g}"]
    most = max(found)
    return [
        f"{names[index]:>10} |{'#' * -(-found[index] * min(_WIDTH, most) // most):<{_WIDTH}}"
        f" {found[index]}"
        for index in range(present[0], present[-1] + 1)
    ]
