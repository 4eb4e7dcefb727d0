"""The latest report of each routing server, and whether it is recent enough to go by.

Times are as in `instant`.
"""

from __future__ import annotations

from dataclasses import dataclass

from nrs.api.messages import MetricsReport

MISSED_REPORTS = 3
"""A router whose last report is older than this many intervals is not active."""

LATE = 1.5
"""Report intervals after which a router is taken not to reach this load balancer."""

MOST_ROUTERS = 2000
FURTHEST_AHEAD_S = 300.0


class ReportRefused(Exception):
    """A report that changes nothing: why, the field at fault, and a word for what it is."""

    def __init__(self, reason: str, field: str, kind: str) -> None:
        super().__init__(reason)
        self.field = field
        self.kind = kind


class RegistryFull(Exception):
    """No room for another router, all those known being active."""


@dataclass(frozen=True, eq=False)
class Router:
    """A routing server as it last reported, and when that report came in."""

    report: MetricsReport
    received_at: float


class RouterRegistry:
    """Routers by id. `report_interval` is in seconds and may be changed at any time."""

    def __init__(self, report_interval: float) -> None:
        self.report_interval = report_interval
        self._routers: dict[str, Router] = {}

    def accept(self, report: MetricsReport, now: float, wall: float) -> str | None:
        """Store `report`, which came in `now`, at `wall` seconds since the Unix epoch.

        Returns the id of the router that was forgotten to make room, if any. Raises
        ReportRefused for one that is older than what is stored or is dated in the
        future, RegistryFull.
        """
        known = self._routers.get(report.server_id)
        ahead = report.timestamp - wall
        if ahead > FURTHEST_AHEAD_S:
            raise ReportRefused(
                f"is {ahead:.0f} s ahead of the load balancer's clock, more than"
                f" {FURTHEST_AHEAD_S:.0f} s",
                "timestamp",
                "future",
            )
        # Once silence has made it inactive, a router whose clock was set back may return.
        if (
            known is not None
            and report.timestamp < known.report.timestamp
            and self.is_fresh(known, now)
        ):
            raise ReportRefused(
                f"is older than the last report of {report.server_id},"
                f" {known.report.timestamp:.3f}",
                "timestamp",
                "older",
            )
        full = known is None and len(self._routers) >= MOST_ROUTERS
        forgotten = self._forget_longest_silent(now) if full else None
        self._routers[report.server_id] = Router(report, now)
        return forgotten

    def restore(self, router: Router) -> None:
        """Begin with a router as it was known before."""
        self._routers[router.report.server_id] = router

    def get(self, router_id: str) -> Router | None:
        """The router as last reported, active or not."""
        return self._routers.get(router_id)

    @property
    def stale_after(self) -> float:
        """Seconds of silence after which a router is not active."""
        return MISSED_REPORTS * self.report_interval

    def is_fresh(self, router: Router, now: float) -> bool:
        """Whether the router's last report is recent enough to go by."""
        return now - router.received_at < self.stale_after

    def lacks(self, report: MetricsReport, received_at: float, now: float, wall: float) -> bool:
        """Whether to take a report that another load balancer got at `received_at`, wall time.

        Routers report to every load balancer: to take each report twice would count moves that
        it does not show as if it did. So only those of routers that do not reach this one are.
        """
        if wall - received_at >= self.stale_after:
            return False
        known = self.get(report.server_id)
        return known is None or (
            now - known.received_at >= LATE * self.report_interval
            and report.timestamp > known.report.timestamp
        )

    def _forget_longest_silent(self, now: float) -> str:
        router_id, router = min(self._routers.items(), key=lambda item: item[1].received_at)
        if self.is_fresh(router, now):
            raise RegistryFull(f"{MOST_ROUTERS} routing servers are known and active")
        del self._routers[router_id]
        return router_id
