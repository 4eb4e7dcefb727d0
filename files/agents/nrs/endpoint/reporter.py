"""The endpoint's companion: asks the load balancer, tells the controller."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

from pydantic import ValidationError

from nrs.agent import revocation_sources
from nrs.agent.bandwidth import Bandwidth
from nrs.agent.controller_link import ControllerLink
from nrs.agent.tasks import Task, Work, given, repeat
from nrs.api.client import ApiClient, ApiRefused, ApiUnavailable
from nrs.api.messages import Decision
from nrs.config.common import PolledLoadBalancer
from nrs.endpoint import event_poster
from nrs.system import control, scheduling

log = logging.getLogger("nrs.endpoint.reporter")

_REVOCATIONS_S = 15.0
"""Routers, which are fewer, ask more often: it is they who keep endpoints out."""
_LATEST = 1.2
"""In poll intervals: the load balancer spreads its endpoints' questions, but where the
operator wants them sooner, they come sooner: as soon as it can bear."""


class EndpointWork(Work):
    """Ask the load balancer about the candidates."""

    load_balancer: PolledLoadBalancer
    candidates: list[str]


class Adviser:
    """Fetches decisions and hands them to the agent."""

    def __init__(self, work: EndpointWork, socket: Path) -> None:
        self._interval = work.load_balancer.poll_interval
        self._endpoint_id = work.registration.device_id
        self._candidates = ",".join(work.candidates)
        self._client = ApiClient(work.load_balancer.url, work.tokens, work.ca_file)
        self._socket = socket
        self._failing = False
        self._traffic: Bandwidth | None = None

    def poll(self) -> float:
        """Ask once; the seconds until the next time.

        Failures are logged when they begin and when they end.
        """
        query = {"candidates": self._candidates, **self._current(), **self._load()}
        try:
            answer = self._client.get(f"/decision/{self._endpoint_id}", query)
            decision = Decision.model_validate(answer)
        except (ApiRefused, ApiUnavailable, ValidationError) as error:
            if not self._failing:
                log.warning("no decision from the load balancer: %s", error)
            self._failing = True
            return self._interval
        if self._failing:
            log.info("the load balancer decides again")
        self._failing = False
        control.request(self._socket, "advise", router_id=decision.optimal_router_id)
        wanted = min(decision.poll_after or self._interval, _LATEST * self._interval)
        return max(wanted, decision.poll_at_least)

    def _current(self) -> dict[str, str]:
        """The router whose tunnel carries the traffic, if one does."""
        tunnels = control.request(self._socket, "status")["tunnels"]
        used = [tunnel["router_id"] for tunnel in tunnels if tunnel["active"]]
        return {"current": used[0]} if used else {}

    def _load(self) -> dict[str, str]:
        """What the endpoint has carried since it last asked."""
        counted = control.request(self._socket, "traffic")
        before = self._traffic
        self._traffic = Bandwidth(time.monotonic(), counted["rx_bytes"], counted["tx_bytes"])
        return {} if before is None else {"mbps": f"{self._traffic.mbps_since(before):.3f}"}


def main(socket: Path) -> None:
    """Poll and report until the agent ends."""
    scheduling.step_aside()
    work = given(EndpointWork)
    answering = revocation_sources.begin(work, socket, _REVOCATIONS_S)
    controller = ControllerLink(work, socket, answering)
    adviser = Adviser(work, socket)
    events = event_poster.EventPoster(work, socket)
    advice = [Task(work.load_balancer.poll_interval, adviser.poll)]
    repeat(
        [
            *(advice if work.load_balancer.use else ()),
            Task(work.controller.status_interval, controller.exchange),
            Task(event_poster.INTERVAL_S, events.look),
        ]
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
