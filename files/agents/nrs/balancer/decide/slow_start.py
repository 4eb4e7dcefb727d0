"""A new or returning router takes a growing share of what it would be given. Pure.

Its lead over the routers that are warm counts only in part, from none at first to all of it
after `ramp` seconds, so that nobody rushes to an idle router before its reports show what it
bears.
"""

from __future__ import annotations


def share(age: float, ramp: float) -> float:
    """The part of its lead that counts `age` seconds after its start, 0 to 1."""
    if age >= ramp:
        return 1.0
    return max(age, 0.0) / ramp


def handicap(score: float, warm: float, part: float) -> float:
    """What to take off `score`, where the warm routers score `warm` in the mean."""
    return (1.0 - part) * max(score - warm, 0.0)
