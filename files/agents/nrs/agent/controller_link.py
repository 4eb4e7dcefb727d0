"""A device's side of the controller: register, say how it fares, take what is pushed."""

from __future__ import annotations

import logging
import time
from collections.abc import Set
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nrs.agent import revocation_sources
from nrs.agent.tasks import Work
from nrs.api.client import ApiClient, ApiRefused, ApiUnavailable
from nrs.api.messages import ConfigRequest, Configuration, DeviceStatus, TunnelStatus
from nrs.system import control

log = logging.getLogger(__name__)

_MOST_TUNNELS = 400
"""What fits into a request of 64 KB; the endpoints report every tunnel in any case."""
_LONGEST_ERROR = 2048
_NOT_FOUND = 404


class ControllerLink:
    """Registers at first, and again whenever the controller does not know the device.

    A controller that has lost its registry, or goes by an older copy of it, takes nothing away:
    versions rise, and what is pushed goes when a later version says so.
    """

    def __init__(
        self,
        work: Work,
        socket: Path,
        answering: Set[str] = frozenset(),
    ) -> None:
        """`socket` is the agent's control socket.

        Where all controllers are `answering`, they take figures of the list of revocations.
        """
        access = work.controller
        self._urls, self._answering = frozenset(access.url or ()), answering
        self._client = ApiClient(access.url, work.tokens, work.ca_file) if access.url else None
        self._registration = work.registration
        self._device_id = work.registration.device_id
        self._socket = socket
        self._registered = False
        self._failing = False
        self._refused_version: int | None = None
        self._passed_over: str | None = None
        """Why the last answer was not for this device to run, if it was not."""

    def exchange(self) -> None:
        """One round; failures are logged when they begin and when they end."""
        if self._client is None:
            return
        try:
            self._round(self._client)
        except (ApiRefused, ApiUnavailable) as error:
            if isinstance(error, ApiRefused) and error.status == _NOT_FOUND:
                self._registered = False
            if not self._failing:
                log.warning("the network controller does not take this device's status: %s", error)
            self._failing = True
        else:
            if self._failing:
                log.info("the network controller takes this device's status again")
            self._failing = False

    def _round(self, client: ApiClient) -> None:
        if not self._registered:
            # A controller of an older release refuses fields that it does not know.
            stated = self._registration.model_dump(mode="json", exclude_none=True)
            client.post("/register", stated)
            self._registered = True
            log.info("registered with the network controller")
        status = control.request(self._socket, "status")
        wanted = self._wanted(client, status["config_version"])
        if wanted is not None:
            answer = control.request(
                self._socket, "apply_config", version=wanted.version, config=wanted.config
            )
            self._refused_version = wanted.version if answer["error"] else None
            status = control.request(self._socket, "status")
        client.post(
            "/status",
            DeviceStatus(
                device_id=self._device_id,
                timestamp=time.time(),
                tunnels=_tunnels(status)[:_MOST_TUNNELS],
                config_version=status["config_version"],
                config_error=status["config_error"] and status["config_error"][:_LONGEST_ERROR],
                put_back=status["put_back"],
                not_kept=status["not_kept"],
                **(revocation_sources.told(status) if self._urls <= self._answering else {}),
                # What is as usual is left out: a controller of an older release refuses fields
                # that it does not know.
            ).model_dump(mode="json", exclude_defaults=True),
        )

    def _wanted(self, client: ApiClient, running: int) -> Configuration | None:
        """A later version than the one that runs, unless it was refused before."""
        answer = client.post("/config", ConfigRequest(device_id=self._device_id).model_dump())
        wanted, why = _later(answer, running)
        if why is not None and why != self._passed_over:
            log.warning("pushed configuration %d stays in force: %s", running, why)
        self._passed_over = why
        return None if wanted is None or wanted.version == self._refused_version else wanted


def _later(answer: Any, running: int) -> tuple[Configuration | None, str | None]:
    """What the controller wants instead of version `running`, or why that stays if it should not.

    Version 0 is what a controller answers that nobody has pushed anything to.
    """
    try:
        wanted = Configuration.model_validate(answer)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, one["loc"])) or "all" for one in error.errors())
        return None, f"the network controller's answer is no configuration: {fields}"
    if wanted.version < running:
        has = f"only version {wanted.version}" if wanted.version else "nothing for this device"
        return None, f"the network controller has {has}"
    return (wanted if wanted.version > running else None), None


def _tunnels(status: dict[str, Any]) -> list[TunnelStatus]:
    """The tunnels of an agent's status as the controller wants them."""
    return [
        TunnelStatus(
            peer_id=tunnel.get("router_id") or tunnel["endpoint_id"],
            up=tunnel["up"],
            active=tunnel["active"],
            rtt_ms=tunnel["rtt_ms"],
            since=tunnel["since"],
        )
        for tunnel in status["tunnels"]
    ]
