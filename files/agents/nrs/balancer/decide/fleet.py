"""The routing servers together: their standing, the weight of an endpoint, who is best."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nrs.api.messages import MetricsReport
from nrs.balancer.decide import demand
from nrs.balancer.decide.algorithm import Algorithm
from nrs.balancer.decide.history import Numbers
from nrs.balancer.decide.member import Member, Ranked, RouterView
from nrs.balancer.decide.registry import MISSED_REPORTS, Router, RouterRegistry
from nrs.balancer.decide.standing import UNUSABLE, State, Status, eject, panics, standing

MOST_RANKED = 10
GONE_AFTER = 20
"""A router that is silent for this many times `stale_after` is none to panic about."""

_REFRESH_S = 1.0
_MBPS_OF_PACKETS = 1.0
_MOVES_PER_ORDER = 64
_NEVER = float("-inf")


class UnknownRouter(Exception):
    """A routing server that has never reported; the text is its id."""


class Fleet:
    """Members by id. After `refresh`, which is due whenever `due` says so, they are up to date."""

    def __init__(self, algorithm: Algorithm, report_interval: float) -> None:
        self.algorithm = algorithm
        self.registry = RouterRegistry(report_interval)
        self.members: dict[str, Member] = {}
        self.endpoint_mbps = 0.0
        self.states: dict[str, State] = {}
        self.numbers = Numbers()
        self._begun: float | None = None
        self._refresh_at = _NEVER
        self._order: list[Member] | None = None
        self._moves = 0

    @property
    def report_interval(self) -> float:
        """Seconds between two reports of a router."""
        return self.registry.report_interval

    # -- what comes in

    def configure(self, algorithm: Algorithm, report_interval: float) -> None:
        """Go by another algorithm from now on."""
        self.algorithm = algorithm
        self.registry.report_interval = report_interval
        for member in self.members.values():
            member.rescore(algorithm)
        self._refresh_at = _NEVER

    def accept(self, report: MetricsReport, now: float, wall: float) -> Member:
        """Take a report. Raises ReportRefused, RegistryFull."""
        self._begin(now)
        known = self.members.get(report.server_id)
        if known is not None:
            self._note_silence(known, now)
        forgotten = self.registry.accept(report, now, wall)
        if forgotten is not None:
            del self.members[forgotten]
        router = self.registry.get(report.server_id)
        assert router is not None
        if known is None:
            return self._welcome(router, now)
        before = known.router.report
        known.router = router
        known.silence_noted = False
        if report != before:  # else it came by a second address of this load balancer's
            self._note_contradiction(known, before, now)
            known.pending.reported(now)
            known.rescore(self.algorithm)
        if known.standing.status is not Status.ACTIVE or (
            (before.egress_up, before.draining) != (report.egress_up, report.draining)
        ):
            self._refresh_at = _NEVER
        return known

    def set_state(self, router_id: str, state: State) -> bool:
        """Take what the operator sets; whether it is a change. Raises UnknownRouter."""
        before = self.states
        self.restore_states(self.states_with(router_id, state))
        return self.states != before

    def states_with(self, router_id: str, state: State) -> dict[str, State]:
        """What the states would be with this one set. Raises UnknownRouter."""
        if router_id not in self.states and router_id not in self.members:
            raise UnknownRouter(router_id)
        others = {name: set_ for name, set_ in self.states.items() if name != router_id}
        return others if state is State.ACTIVE else {**others, router_id: state}

    def restore_states(self, states: Mapping[str, State]) -> None:
        """Begin with what the operator had set before, also for routers yet to report."""
        self.states = dict(states)
        self._refresh_at = _NEVER

    def restore(self, router: Router, now: float) -> Member:
        """Begin with a router as it was known before; it counts as heard of at `now`."""
        self.registry.restore(router)
        return self._welcome(router, now)

    def move(
        self,
        source: Member | None,
        target: Member,
        mbps: float,
        when: float,
        *,
        gradual: bool,
    ) -> None:
        """Count the move of an endpoint of `mbps`, with all its flows or as they end."""
        if source is not None:
            source.move(-mbps, when, gradual=gradual)
        target.move(mbps, when, gradual=gradual)
        self._moves += 1
        if self._moves >= _MOVES_PER_ORDER:
            self._order = None

    # -- what is made of it

    def due(self, now: float) -> bool:
        """Whether `refresh` has to be called before members are looked at."""
        return now >= self._refresh_at

    def settled(self, now: float) -> bool:
        """Whether it has run for long enough to know every router that there is."""
        return self._begun is not None and now - self._begun >= self.registry.stale_after

    def refresh(self, now: float, endpoints: int) -> None:
        """Bring every member up to date, where `endpoints` share the fleet."""
        self._begin(now)
        members = self.members.values()
        for member in members:
            self._note_silence(member, now)
        panic = self._panics(now)
        heard = any(self._fresh(member, now) for member in members)
        stale_at = now + _REFRESH_S
        for member in members:
            self._judge(member, now, panic=panic, heard=heard)
            silent_at = member.router.received_at + self.registry.stale_after
            if silent_at > now:
                stale_at = min(stale_at, silent_at)
            if member.ejection is not None and member.ejection.holds(now):
                stale_at = min(stale_at, member.ejection.until)
        self._weigh(endpoints)
        self._warm(now)
        self._refresh_at = stale_at
        self._order = None

    def options(self, among: Iterable[str] | None) -> list[Member]:
        """Those that may be used, of the best rank there is; of any router, only the best few."""
        if among is None:
            return self._best_few()
        found = [m for m in map(self.members.get, among) if m is not None and m.rank < UNUSABLE]
        if not found:
            return found
        rank = min(m.rank for m in found)
        return [m for m in found if m.rank == rank]

    def ranking(
        self, among: Iterable[str] | None, options: list[Member], at: Member | None
    ) -> tuple[Ranked, ...]:
        """Best first: all of `among` that have reported, else `options` and `at`."""
        if among is not None:
            found = [m for m in map(self.members.get, among) if m is not None]
        else:
            found = options if at is None or at in options else [*options, at]
        return tuple([m.ranked() for m in sorted(found, key=_preference)])

    def view(self, member: Member) -> RouterView:
        """A member as it is listed."""
        return member.view(self.states.get(member.router_id, State.ACTIVE))

    def _welcome(self, router: Router, now: float) -> Member:
        router_id = router.report.server_id
        used = (member.number for member in self.members.values())
        member = Member(router, self.numbers.of(router_id, used), self.algorithm)
        self.members[router_id] = member
        member.pending.reported(now)
        if self.settled(now):
            member.warming_since = now
        self._refresh_at = _NEVER
        return member

    def _begin(self, now: float) -> None:
        if self._begun is None:
            self._begun = now

    def _note_silence(self, member: Member, now: float) -> None:
        stale_at = member.router.received_at + self.registry.stale_after
        if member.silence_noted or now < stale_at:
            return
        member.silence_noted = True
        reason = f"it did not report for {MISSED_REPORTS} intervals"
        member.ejection = eject(member.ejection, stale_at, self.report_interval, reason)

    def _note_contradiction(self, member: Member, before: MetricsReport, now: float) -> None:
        report = member.router.report
        packets = report.total_rx_packets + report.total_tx_packets
        still = packets == before.total_rx_packets + before.total_tx_packets
        if still and report.bandwidth_mbps >= _MBPS_OF_PACKETS:
            reason = f"it reported {report.bandwidth_mbps:.0f} Mb/s without a packet"
            member.ejection = eject(member.ejection, now, self.report_interval, reason)
            self._refresh_at = _NEVER

    def _panics(self, now: float) -> bool:
        known = out = 0
        for member in self.members.values():
            if self.states.get(member.router_id) is State.DISABLED or self._gone(member, now):
                continue
            known += 1
            ejected = member.ejection is not None and member.ejection.holds(now)
            out += ejected or not self._fresh(member, now)
        return panics(out, known)

    def _gone(self, member: Member, now: float) -> bool:
        return now - member.router.received_at >= GONE_AFTER * self.registry.stale_after

    def _judge(self, member: Member, now: float, *, panic: bool, heard: bool) -> None:
        silent_s = now - member.router.received_at
        fresh = self._fresh(member, now)
        ejection = member.ejection
        out = ejection is not None and not panic and ejection.holds(now)
        state = self.states.get(member.router_id, State.ACTIVE)
        before = member.standing.status
        member.standing = standing(
            member.router.report,
            state,
            silent_s=silent_s,
            fresh=fresh,
            ejected=ejection.reason if ejection is not None and out else None,
        )
        status = member.standing.status
        member.rank = member.standing.rank
        member.open = member.deserted_at < member.router.received_at
        if status is Status.INACTIVE and panic and heard and not self._gone(member, now):
            believed = standing(member.router.report, state, silent_s=0.0, fresh=True)
            member.rank = believed.rank
            member.open = False
        if status is Status.ACTIVE and before is not Status.ACTIVE and self.settled(now):
            member.warming_since = now

    def _fresh(self, member: Member, now: float) -> bool:
        return self.registry.is_fresh(member.router, now)

    def _weigh(self, endpoints: int) -> None:
        """What an endpoint carries, and what that costs each router."""
        mbps = capacity = cpu = bandwidth = 0.0
        tunnels = 0
        for member in self.members.values():
            if member.rank == UNUSABLE:
                continue
            report = member.router.report
            mbps += report.bandwidth_mbps
            capacity += member.capacity.max_bandwidth_mbps
            cpu += report.cpu_percent / 100
            bandwidth += report.bandwidth_mbps / member.capacity.max_bandwidth_mbps
            tunnels = max(tunnels, report.active_tunnels)
        totals = demand.Totals(mbps, capacity, cpu, bandwidth)
        # After a start few have asked yet; as many as one router has tunnels there are in any case.
        self.endpoint_mbps = demand.per_endpoint(totals, max(endpoints, tunnels))
        ratio = demand.cpu_ratio(totals)
        for member in self.members.values():
            most = member.capacity.max_bandwidth_mbps
            member.price(demand.cost_per_mbps(most, ratio, self.algorithm.weights))

    def _warm(self, now: float) -> None:
        ramp = self.algorithm.slow_start_time
        active = [m for m in self.members.values() if m.standing.status is Status.ACTIVE]
        warm = [m.score for m in active if now - m.warming_since >= ramp]
        mean = sum(warm) / len(warm) if warm else 1.0
        for member in active:
            member.warm_up(mean, now, ramp)

    def _best_few(self) -> list[Member]:
        if self._order is None:
            self._order = self._ordered()
            self._moves = 0
        return self._order

    def _ordered(self) -> list[Member]:
        usable = [m for m in self.members.values() if m.rank < UNUSABLE]
        if not usable:
            return []
        rank = min(m.rank for m in usable)
        mbps = self.endpoint_mbps
        found = [m for m in usable if m.rank == rank]
        found.sort(key=lambda m: (not m.open, m.cost * mbps - m.effective, m.router_id))
        return found[:MOST_RANKED]


def _preference(member: Member) -> tuple[int, float, str]:
    return member.rank, -member.effective, member.router_id
