"""The endpoint's companion: asks the load balancer, tells the controller."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import nrs
from nrs.api.client import ApiClient, ApiRefused, ApiUnavailable
from nrs.api.controller_link import ControllerLink
from nrs.api.messages import Decision, Registration, TunnelStatus
from nrs.config.loader import ConfigError, load
from nrs.endpoint.config import NetworkAccessEndpointConfig
from nrs.system import control, logs
from nrs.system.companion import wait_or_end

log = logging.getLogger("nrs.endpoint.reporter")


class Adviser:
    """Fetches decisions and hands them to the agent."""

    def __init__(self, config: NetworkAccessEndpointConfig, socket: Path) -> None:
        self._endpoint_id = config.endpoint.endpoint_id
        self._candidates = ",".join(router.router_id for router in config.routers)
        self._client = ApiClient(config.load_balancer.url, config.api.bearer_token)
        self._socket = socket
        self._failing = False

    def poll(self) -> None:
        """Ask once; failures are logged when they begin and when they end."""
        try:
            answer = self._client.get(
                f"/decision/{self._endpoint_id}", {"candidates": self._candidates}
            )
            decision = Decision.model_validate(answer)
        except (ApiRefused, ApiUnavailable, ValidationError) as error:
            if not self._failing:
                log.warning("no decision from the load balancer: %s", error)
            self._failing = True
            return
        if self._failing:
            log.info("the load balancer decides again")
        self._failing = False
        control.request(self._socket, "advise", router_id=decision.optimal_router_id)


def registration(config: NetworkAccessEndpointConfig) -> Registration:
    """What the controller is told of this endpoint."""
    return Registration(
        device_id=config.endpoint.endpoint_id,
        device_type="network_access_endpoint",
        name=config.endpoint.name,
        tun_ipv4=config.tunnel.tun_ipv4.ip,
        tun_ipv6=config.tunnel.tun_ipv6.ip,
        version=nrs.__version__,
    )


def tunnels(status: dict[str, Any]) -> list[TunnelStatus]:
    """The tunnels of a status answer as the controller wants them."""
    return [
        TunnelStatus(
            peer_id=tunnel["router_id"],
            up=tunnel["up"],
            active=tunnel["active"],
            rtt_ms=tunnel["rtt_ms"],
            since=tunnel["since"],
        )
        for tunnel in status["tunnels"]
    ]


def main(config_path: Path, socket: Path) -> int:
    """Poll and report until the agent ends."""
    try:
        config = load(config_path, NetworkAccessEndpointConfig)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    logs.configure(logs.companion_file(config.endpoint.log_file))
    adviser = Adviser(config, socket)
    controller = ControllerLink(
        config.network_controller, config.api.bearer_token, registration(config)
    )
    next_poll = time.monotonic()
    next_status = time.monotonic()
    while wait_or_end(min(next_poll, next_status) - time.monotonic()):
        now = time.monotonic()
        try:
            if now >= next_poll:
                next_poll = now + config.load_balancer.poll_interval
                adviser.poll()
            if now >= next_status:
                next_status = now + config.network_controller.status_interval
                if controller.enabled:
                    controller.report(tunnels(control.request(socket, "status")))
        except control.ControlError as error:
            log.warning("%s", error)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
