"""Which router an endpoint should use: the whole rule, in one pure function.

An endpoint stays where it is unless its router can no longer be used, or another one would
still be better by the threshold with the endpoint's own traffic on it, at a time when the hold
since its last move is over. Whether it moves then is up to the budget of moves (`budget.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol, TypeVar

_ROUNDING = 1e-9


class Reason(Enum):
    """Why the router was chosen."""

    FIRST = "the endpoint's first decision: the best score"
    ROUTER_LOST = "the endpoint's router cannot be used any more: the best score of the rest"
    BETTER = "better than the endpoint's router by the threshold or more"
    BEST = "the endpoint's router has the best score"
    BELOW_THRESHOLD = "no other router is better by the threshold"
    HELD = "a better router has to wait for the hold time"
    LIMITED = "a better router has to wait: enough endpoints have been moved in this interval"


class Option(Protocol):
    """A router that can be used."""

    @property
    def router_id(self) -> str:
        """Its name; of equal ones the first is taken."""

    @property
    def effective(self) -> float:
        """Its score with what is on its way to it."""

    @property
    def cost(self) -> float:
        """What a Mb/s more takes off it."""

    @property
    def open(self) -> bool:
        """Whether endpoints may be sent there; else it may only be stayed at."""


AnyOption = TypeVar("AnyOption", bound=Option)


@dataclass(frozen=True)
class Rule:
    """What keeps decisions from flapping: a score difference and seconds."""

    threshold: float
    hold: float


class Verdict(NamedTuple):
    """Why to stay, or BETTER for what would be gained by moving."""

    reason: Reason
    gain: float


def best(options: Iterable[AnyOption], mbps: float) -> AnyOption | None:
    """The open router that is best with `mbps` more on it; None where none is open."""
    found: AnyOption | None = None
    most = -math.inf
    for option in options:
        if not option.open:
            continue
        score = option.effective - option.cost * mbps
        if score > most or (
            score == most and found is not None and option.router_id < found.router_id
        ):
            found, most = option, score
    return found


def judge(
    present: Option, challenger: Option | None, mbps: float, held_s: float, rule: Rule
) -> Verdict:
    """Whether an endpoint of `mbps` that has been at `present` for `held_s` had better leave."""
    if challenger is None or challenger.router_id == present.router_id:
        return Verdict(Reason.BEST, 0.0)
    gain = challenger.effective - challenger.cost * mbps - present.effective
    if gain <= 0:
        return Verdict(Reason.BEST, gain)
    if gain + _ROUNDING < rule.threshold:
        return Verdict(Reason.BELOW_THRESHOLD, gain)
    if held_s < rule.hold:
        return Verdict(Reason.HELD, gain)
    return Verdict(Reason.BETTER, gain)
