"""The routing server's companion: metrics to the load balancers, status to the controller."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import Any

import psutil

import nrs
from nrs.agent.bandwidth import Bandwidth
from nrs.agent.controller_link import ControllerLink
from nrs.agent.reporting import Task, load_config, log_beside, repeat
from nrs.api.client import ApiClient
from nrs.api.messages import MetricsReport, Registration
from nrs.router.config import RoutingServerConfig
from nrs.system import control

log = logging.getLogger("nrs.router.reporter")

UNIT = "routing_server"


class MetricsReporter:
    """Posts what this router carries and how its host fares."""

    def __init__(self, config: RoutingServerConfig, socket: Path) -> None:
        self._config = config
        self._socket = socket
        self._client = ApiClient(config.load_balancer.url, config.api.bearer_token)
        self._last: Bandwidth | None = None
        self._failing: set[str] = set()
        psutil.cpu_percent()

    def report(self) -> None:
        """Post one report to every load balancer; failures are logged when they begin and end."""
        figures = control.request(self._socket, "metrics")
        present = self._bandwidth(figures)
        server = self._config.server
        report = MetricsReport(
            server_id=server.server_id,
            server_name=server.name,
            timestamp=time.time(),
            cpu_percent=min(100.0, psutil.cpu_percent()),
            memory_percent=psutil.virtual_memory().percent,
            bandwidth_mbps=round(present.mbps_since(self._last), 3) if self._last else 0.0,
            active_tunnels=figures["active_tunnels"],
            total_rx_packets=figures["total_rx_packets"],
            total_tx_packets=figures["total_tx_packets"],
            internal_ip=server.internal_ip,
            external_ip=server.external_ip,
            egress_up=figures["egress_up"],
            draining=figures["draining"],
            max_bandwidth_mbps=self._config.metrics.max_bandwidth_mbps,
            max_connections=self._config.metrics.max_connections,
        )
        self._last = present
        # A load balancer of an older release refuses fields that it does not know: what is as
        # usual is left out, so that it takes the reports of a router that is well.
        body = report.model_dump(mode="json", exclude_defaults=True)
        failures = self._client.post_to_all("/metrics", body)
        for url in failures.keys() - self._failing:
            log.warning("metrics do not reach %s: %s", url, failures[url])
        for url in self._failing - failures.keys():
            log.info("metrics reach %s again", url)
        self._failing = set(failures)

    def _bandwidth(self, figures: dict[str, Any]) -> Bandwidth:
        return Bandwidth(time.monotonic(), figures["rx_bytes"], figures["tx_bytes"])


def registration(config: RoutingServerConfig) -> Registration:
    """What the controller is told of this router."""
    return Registration(
        device_id=config.server.server_id,
        device_type="routing_server",
        name=config.server.name,
        tun_ipv4=config.tunnel.tun_ipv4.ip,
        tun_ipv6=config.tunnel.tun_ipv6.ip,
        internal_ip=config.server.internal_ip,
        external_ip=config.server.external_ip,
        port=config.server.bind_port,
        version=nrs.__version__,
    )


def main(path: Path, socket: Path) -> None:
    """Report until the agent ends."""
    config = load_config(path, RoutingServerConfig, UNIT)
    log_beside(config.server.log_file)
    access = config.network_controller
    controller = ControllerLink(access, config.api.bearer_token, registration(config), socket)
    reporter = MetricsReporter(config, socket)
    repeat(
        [
            Task(config.metrics.report_interval, reporter.report, hurried=True),
            Task(access.status_interval, controller.exchange),
        ]
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
