"""Which router an endpoint should use: the whole rule, in one pure function.

An endpoint stays where it is unless its router can no longer be used, or another one would
still be better by the threshold with the endpoint's own traffic on it, at a time when the hold
since its last move is over and the budget of moves allows it.
"""

from __future__ import annotations

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
    def joined(self) -> float:
        """The same with one endpoint more."""

    @property
    def open(self) -> bool:
        """Whether endpoints may be sent there; else it may only be stayed at."""


AnyOption = TypeVar("AnyOption", bound=Option)


@dataclass(frozen=True)
class Rule:
    """What keeps decisions from flapping: a score difference and seconds."""

    threshold: float
    hold: float


class Choice(NamedTuple):
    """Whether to move to another router, and why."""

    move: bool
    reason: Reason


def best(options: Iterable[AnyOption]) -> AnyOption | None:
    """The open router that is best with one endpoint more; None where none is open."""
    found: AnyOption | None = None
    for option in options:
        if not option.open:
            continue
        if (
            found is None
            or option.joined > found.joined
            or (option.joined == found.joined and option.router_id < found.router_id)
        ):
            found = option
    return found


def judge(
    present: Option, challenger: Option | None, held_s: float, rule: Rule, *, within_budget: bool
) -> Choice:
    """Whether an endpoint that has been at `present` for `held_s` goes to `challenger`."""
    if challenger is None or challenger.router_id == present.router_id:
        return Choice(False, Reason.BEST)
    gain = challenger.joined - present.effective
    if gain <= 0:
        return Choice(False, Reason.BEST)
    if gain + _ROUNDING < rule.threshold:
        return Choice(False, Reason.BELOW_THRESHOLD)
    if held_s < rule.hold:
        return Choice(False, Reason.HELD)
    if not within_budget:
        return Choice(False, Reason.LIMITED)
    return Choice(True, Reason.BETTER)
