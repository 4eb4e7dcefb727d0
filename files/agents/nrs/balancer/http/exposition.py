"""What the load balancer tells Prometheus. Labels name routers, never endpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from nrs.balancer.decide.member import RouterView
from nrs.balancer.decide.standing import Status
from nrs.balancer.live import LiveBalancer

_ROUTER = ("router",)


class BalancerFigures(Collector):
    """What is to be told of a load balancer, read anew at each scrape."""

    def __init__(self, balancer: LiveBalancer) -> None:
        self._balancer = balancer

    def collect(self) -> Iterable[Metric]:
        yield from _routers(self._balancer.routers())
        yield from _decisions(self._balancer)
        yield from _shared(self._balancer)


_OF_A_ROUTER: tuple[tuple[str, str, Callable[[RouterView], float]], ...] = (
    ("score", "Weighted headroom, 0 to 1", lambda view: view.score),
    ("cpu_percent", "Of the host, as reported", lambda view: view.router.report.cpu_percent),
    ("memory_percent", "Of the host, as reported", lambda view: view.router.report.memory_percent),
    (
        "bandwidth_mbps",
        "Through its tunnels, in the busier direction, as reported",
        lambda view: view.router.report.bandwidth_mbps,
    ),
    ("tunnels", "With a live session, as reported", lambda view: view.router.report.active_tunnels),
    (
        "put_back",
        "Settings of the host that somebody else changed, as reported",
        lambda view: view.router.report.put_back,
    ),
    (
        "not_kept",
        "Of these, what the router cannot keep now, as reported",
        lambda view: view.router.report.not_kept,
    ),
)


def _routers(views: list[RouterView]) -> Iterator[Metric]:
    for name, text, of in _OF_A_ROUTER:
        family = GaugeMetricFamily(f"nrs_router_{name}", text, labels=_ROUTER)
        for view in views:
            family.add_metric([view.router_id], of(view))
        yield family
    number = GaugeMetricFamily(
        "nrs_router_revocations",
        "Number of the list of revocations that it goes by, as reported",
        labels=_ROUTER,
    )
    age = GaugeMetricFamily(
        "nrs_router_revocations_age_seconds",
        "For how long nobody has told it that this list is the latest, as reported",
        labels=_ROUTER,
    )
    for view in views:
        report = view.router.report
        if report.revocations_age_s is not None:
            number.add_metric([view.router_id], report.revocations)
            age.add_metric([view.router_id], report.revocations_age_s)
    yield from (number, age)
    used = GaugeMetricFamily(
        "nrs_router_status", "1 for the status that it has", labels=("router", "status")
    )
    for view in views:
        for status in Status:
            value = float(view.standing.status is status)
            used.add_metric([view.router_id, status.value], value)
    yield used


def _decisions(balancer: LiveBalancer) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "nrs_endpoints", "That have asked in the last 300 s", value=balancer.active_decisions()
    )
    made = CounterMetricFamily(
        "nrs_decisions", "Answered since the start, by reason", labels=("reason",)
    )
    for reason, count in balancer.decided.items():
        made.add_metric([reason.name.lower()], count)
    yield made
    yield CounterMetricFamily(
        "nrs_moves", "Endpoints told to leave their router, since the start", value=balancer.moved
    )
    yield CounterMetricFamily(
        "nrs_reports", "Of routing servers, taken since the start", value=balancer.reported
    )
    refused = CounterMetricFamily(
        "nrs_reports_refused", "Since the start, by what was wrong", labels=("kind",)
    )
    for kind, count in balancer.refusals.items():
        refused.add_metric([kind], count)
    yield refused


def _shared(balancer: LiveBalancer) -> Iterator[Metric]:
    shared = balancer.shared
    if shared is not None:
        yield GaugeMetricFamily(
            "nrs_shared_state_connected",
            "Whether the store that several load balancers share is reached",
            value=float(shared.error is None),
        )
