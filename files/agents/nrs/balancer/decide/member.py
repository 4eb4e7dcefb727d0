"""A routing server as decisions see it: its figures, and all that has been made of them."""

from __future__ import annotations

from dataclasses import dataclass

from nrs.balancer.decide import scoring
from nrs.balancer.decide.algorithm import Algorithm
from nrs.balancer.decide.pending import Pending
from nrs.balancer.decide.registry import Router
from nrs.balancer.decide.scoring import Capacity, Headrooms
from nrs.balancer.decide.standing import UNUSABLE, Ejection, Standing, State, Status, handicap

_NEVER = float("-inf")


@dataclass(frozen=True, eq=False)
class Ranked:
    """A router in the order of preference; `effective_score` counts what is on its way.

    As long as a router's figures stay the same, so does the object.
    """

    router_id: str
    score: float
    effective_score: float
    parts: Headrooms
    status: Status


@dataclass(frozen=True)
class RouterView:
    """A router with its score, what the operator has set for it, and whether it may be used."""

    router: Router
    score: float
    effective_score: float
    parts: Headrooms
    state: State
    standing: Standing

    @property
    def router_id(self) -> str:
        """The router's name."""
        return self.router.report.server_id

    @property
    def active(self) -> bool:
        """Whether endpoints are sent there as long as there is a choice."""
        return self.standing.status is Status.ACTIVE


class Member:
    """One router. `Fleet` writes; a decision only reads, as an `Option`."""

    __slots__ = (
        "_ranked",
        "capacity",
        "cost",
        "deserted_at",
        "effective",
        "ejection",
        "handicap",
        "number",
        "open",
        "parts",
        "pending",
        "rank",
        "router",
        "router_id",
        "score",
        "silence_noted",
        "standing",
        "warming_since",
    )

    def __init__(self, router: Router, number: int, algorithm: Algorithm) -> None:
        self.router_id = router.report.server_id
        self.number = number
        self.pending = Pending()
        self.standing = Standing(Status.ACTIVE)
        self.rank = UNUSABLE
        self.open = False
        self.ejection: Ejection | None = None
        self.silence_noted = False
        self.warming_since = _NEVER
        """When its slow start began."""
        self.deserted_at = _NEVER
        """When an endpoint has last been found to have left it by itself."""
        self.cost = self.handicap = self.effective = 0.0
        self._ranked: Ranked | None = None
        self.router = router
        self.capacity: Capacity
        self.parts: Headrooms
        self.score: float
        self.rescore(algorithm)

    def rescore(self, algorithm: Algorithm) -> None:
        """Go by the present report and `algorithm`."""
        report = self.router.report
        self.capacity = scoring.capacity(report, algorithm)
        self.parts = scoring.headrooms(report, self.capacity)
        self.score = scoring.score(self.parts, algorithm.weights)
        self.revalue()

    def price(self, cost_per_mbps: float) -> None:
        """Take what a Mb/s costs here."""
        self.cost = cost_per_mbps
        self.revalue()

    def warm_up(self, warm: float, now: float, ramp: float) -> None:
        """Give it the handicap of its age, where the others' scores are `warm` in the mean."""
        self.handicap = handicap(self.score, warm, now - self.warming_since, ramp)
        self.revalue()

    def move(self, mbps: float, when: float, *, gradual: bool) -> None:
        """Count what has come or gone, as `Pending.move` does."""
        self.pending.move(mbps, when, gradual=gradual)
        self.revalue()

    def revalue(self) -> None:
        """Work out the effective score again."""
        self.effective = self.score - self.handicap - self.cost * self.pending.mbps

    def ranked(self) -> Ranked:
        """As it stands in a ranking."""
        status = self.standing.status
        known = self._ranked
        if (
            known is None
            or known.parts is not self.parts
            or known.effective_score != self.effective
            or known.status is not status
        ):
            known = Ranked(self.router_id, self.score, self.effective, self.parts, status)
            self._ranked = known
        return known

    def view(self, state: State) -> RouterView:
        """As it is listed, where the operator has set `state`."""
        return RouterView(self.router, self.score, self.effective, self.parts, state, self.standing)
