"""Where an endpoint is, whether and where it is moved, or why there is no place for it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence

from nrs.balancer.decide.algorithm import Algorithm
from nrs.balancer.decide.budget import MoveBudget, urgency
from nrs.balancer.decide.fleet import Fleet
from nrs.balancer.decide.member import Member
from nrs.balancer.decide.rule import Reason, Rule, best, judge
from nrs.balancer.decide.standing import UNUSABLE, Status
from nrs.balancer.decide.table import Entry

_NAMED = 5


class NoRouter(Exception):
    """No routing server can be used; the text says why."""


class Placement:
    """Places endpoints in a fleet, and counts there what it moves."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._budget = MoveBudget(fleet.report_interval)
        self.configure(fleet.algorithm, fleet.report_interval)

    def configure(self, algorithm: Algorithm, cycle: float) -> None:
        """Go by another algorithm from now on; the budget is that of `cycle` seconds."""
        self._rule = Rule(algorithm.anti_flap_threshold, algorithm.anti_flap_hold_time)
        self._budget.cycle = cycle

    def on_trial(self) -> Placement:
        """One that chooses as this one does and leaves the budget as it is."""
        trial = copy.copy(self)
        trial._budget = copy.copy(self._budget)
        return trial

    def find(self, entry: Entry, current: str | None, now: float, *, known: bool) -> Member | None:
        """The router that the endpoint is at, as far as that can be known.

        `current` is what it says itself, None where it does not; `known` whether `entry` says
        anything yet.
        """
        members = self._fleet.members
        entry.fled = False
        if current is None:
            return members.get(entry.router_id) if known else None
        at = members.get(current)
        if known and current == entry.router_id:
            entry.confirmed = True
        elif known and at is not None:
            self._stray(entry, at, now)
        elif at is not None:
            entry.router_id = at.router_id
        return at

    def choose(
        self,
        entry: Entry,
        at: Member | None,
        options: Sequence[Member],
        endpoints: int,
        now: float,
        *,
        known: bool,
    ) -> tuple[Member, Reason]:
        """One of `options`, of which there is one or more and all are of the same rank."""
        mbps = entry.mbps
        challenger = best(options, mbps)
        usable = at is not None and at.rank < UNUSABLE and entry.may_use(at.router_id)
        if at is not None and usable and challenger is None:
            # Better ones there are, but somebody has just fled from each.
            return at, Reason.BEST
        if at is None or not usable or at.rank != options[0].rank:
            reason = Reason.ROUTER_LOST if known or at is not None else Reason.FIRST
            return challenger or max(options, key=lambda m: m.effective - m.cost * mbps), reason
        # Who has just fled by itself is placed anew, as part of the failure.
        held_s = math.inf if entry.fled else now - entry.since
        reason, gain = judge(at, challenger, mbps, held_s, self._rule)
        if challenger is None or reason is not Reason.BETTER:
            return at, reason
        urgent = urgency(gain, challenger.cost * mbps, held_s)
        if not entry.fled and not self._budget.take(urgent, endpoints, now):
            return at, Reason.LIMITED
        return challenger, reason

    def move(self, entry: Entry, at: Member | None, target: Member, now: float) -> None:
        """Send the endpoint from `at` to `target`."""
        gradual = at is not None and at.rank < UNUSABLE
        self._fleet.move(at, target, entry.mbps, now, gradual=gradual)
        entry.previous = None if at is None else at.router_id
        entry.router_id, entry.since, entry.moved_mbps = target.router_id, now, entry.mbps
        entry.confirmed = False

    def adopt(self, known: Entry | None, other: Entry) -> None:
        """Count that an endpoint, `known` here or not, was sent where `other` has it."""
        target = self._fleet.members.get(other.router_id)
        if target is None or other.since == -math.inf:
            return
        at = None if known is None else self._fleet.members.get(known.router_id)
        gradual = at is not None and at.rank < UNUSABLE
        other.mbps = other.moved_mbps = self._fleet.endpoint_mbps if known is None else known.mbps
        self._fleet.move(at, target, other.mbps, other.since, gradual=gradual)

    def _stray(self, entry: Entry, at: Member, now: float) -> None:
        """The endpoint is at another router than it was told."""
        told = self._fleet.members.get(entry.router_id)
        if entry.previous == at.router_id and not entry.confirmed:
            # It has not followed: the move is taken back, and asking again waits for the hold.
            self._fleet.move(told, at, entry.moved_mbps, entry.since, gradual=True)
        else:
            # It has left by itself at some time since it last asked, and may know why: nobody
            # is sent to that router before it has reported once more.
            when = (entry.asked_at + now) / 2
            self._fleet.move(told, at, entry.mbps, when, gradual=False)
            entry.since, entry.moved_mbps, entry.fled = now, entry.mbps, True
            if told is not None:
                told.deserted_at = now
                told.open = False
        entry.previous, entry.router_id = entry.router_id, at.router_id
        entry.confirmed = True


def why_none(members: Mapping[str, Member], among: Sequence[str] | None, now: float) -> str:
    """Of `members` none is of use, or of those among them that an endpoint can reach."""
    named = members if among is None else among
    known = [members[router_id] for router_id in sorted(named) if router_id in members]
    if not known and among is None:
        return "no routing server has reported yet"
    if not known:
        return f"no routing server among the candidates has reported yet: {', '.join(named)}"
    parts = ["no routing server is active"]
    for status, what, describe in _KINDS:
        names = [describe(m, now) for m in known if m.standing.status is status]
        if names:
            more = ", ..." if len(names) > _NAMED else ""
            parts.append(f"{what}: {', '.join(names[:_NAMED])}{more}")
    return "; ".join(parts)


def _name(member: Member, _: float) -> str:
    return member.router_id


def _silence(member: Member, now: float) -> str:
    return f"{member.router_id} for {now - member.router.received_at:.0f} s"


_KINDS: tuple[tuple[Status, str, Callable[[Member, float], str]], ...] = (
    (Status.INACTIVE, "without a report", _silence),
    (Status.EJECTED, "ejected", _name),
    (Status.DISABLED, "disabled", _name),
)
