"""The routing server's companion: metrics to the load balancers, status to the controller."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Set
from pathlib import Path
from typing import Any

import psutil

from nrs.agent import revocation_sources
from nrs.agent.bandwidth import Bandwidth
from nrs.agent.controller_link import ControllerLink
from nrs.agent.tasks import Task, Work, given, repeat
from nrs.api.client import ApiClient
from nrs.api.messages import MetricsReport
from nrs.config.common import LoadBalancerAccess
from nrs.router.config import Metrics
from nrs.system import control, scheduling

log = logging.getLogger("nrs.router.reporter")

_REVOCATIONS_S = 2.0
"""A router goes by what a service has within 5 s, though that has it of a sibling only."""


class RouterWork(Work):
    """Metrics to the load balancers, status to the controller."""

    load_balancer: LoadBalancerAccess
    metrics: Metrics


class MetricsReporter:
    """Posts what this router carries and how its host fares."""

    def __init__(self, work: RouterWork, socket: Path, answering: Set[str] = frozenset()) -> None:
        """`socket` is the agent's control socket.

        The load balancers that are `answering` take figures of the list of revocations.
        """
        self._answering = answering
        self._router = work.registration
        self._capacity = work.metrics
        self._socket = socket
        self._client = ApiClient(work.load_balancer.url, work.tokens, work.ca_file)
        self._last: Bandwidth | None = None
        self._failing: set[str] = set()
        psutil.cpu_percent()

    def report(self) -> None:
        """Post one report to every load balancer; failures are logged when they begin and end."""
        figures = control.request(self._socket, "metrics")
        present = self._bandwidth(figures)
        report = MetricsReport(
            server_id=self._router.device_id,
            server_name=self._router.name,
            timestamp=time.time(),
            cpu_percent=min(100.0, psutil.cpu_percent()),
            memory_percent=psutil.virtual_memory().percent,
            bandwidth_mbps=round(present.mbps_since(self._last), 3) if self._last else 0.0,
            active_tunnels=figures["active_tunnels"],
            total_rx_packets=figures["total_rx_packets"],
            total_tx_packets=figures["total_tx_packets"],
            internal_ip=self._router.internal_ip,
            external_ip=self._router.external_ip,
            egress_up=figures["egress_up"],
            draining=figures["draining"],
            max_bandwidth_mbps=self._capacity.max_bandwidth_mbps,
            max_connections=self._capacity.max_connections,
            put_back=figures["put_back"],
            not_kept=figures["not_kept"],
        )
        self._last = present
        # A load balancer of an older release refuses fields that it does not know: what is as
        # usual is left out, so that it takes the reports of a router that is well.
        body = report.model_dump(mode="json", exclude_defaults=True)
        more = {url: revocation_sources.told(figures) for url in list(self._answering)}
        failures = self._client.post_to_all("/metrics", body, more)
        for url in failures.keys() - self._failing:
            log.warning("metrics do not reach %s: %s", url, failures[url])
        for url in self._failing - failures.keys():
            log.info("metrics reach %s again", url)
        self._failing = set(failures)

    def _bandwidth(self, figures: dict[str, Any]) -> Bandwidth:
        return Bandwidth(time.monotonic(), figures["rx_bytes"], figures["tx_bytes"])


def main(socket: Path) -> None:
    """Report until the agent ends."""
    scheduling.step_aside()
    work = given(RouterWork)
    answering = revocation_sources.begin(work, socket, _REVOCATIONS_S)
    metrics = MetricsReporter(work, socket, answering)
    controller = ControllerLink(work, socket, answering)
    repeat(
        [
            Task(work.metrics.report_interval, metrics.report, hurried=True),
            Task(work.controller.status_interval, controller.exchange),
        ]
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
