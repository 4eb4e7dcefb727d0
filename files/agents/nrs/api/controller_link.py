"""A device's side of the controller: register, then say how it fares."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from nrs.api.client import ApiClient, ApiRefused, ApiUnavailable
from nrs.api.messages import DeviceStatus, Registration, TunnelStatus
from nrs.config.common import NetworkControllerAccess

log = logging.getLogger(__name__)

_MOST_TUNNELS = 4096
_NOT_FOUND = 404


class ControllerLink:
    """Registers at first, and again whenever the controller does not know the device."""

    def __init__(
        self, access: NetworkControllerAccess, token: str | None, registration: Registration
    ) -> None:
        self._client = ApiClient(access.url, token) if access.url else None
        self._registration = registration
        self._registered = False
        self._failing = False

    @property
    def enabled(self) -> bool:
        """Whether a controller is configured."""
        return self._client is not None

    def report(self, tunnels: Sequence[TunnelStatus]) -> None:
        """Post the status; failures are logged when they begin and when they end."""
        if self._client is None:
            return
        try:
            if not self._registered:
                self._client.post("/register", self._registration.model_dump(mode="json"))
                self._registered = True
                log.info("registered with the network controller")
            self._client.post(
                "/status",
                DeviceStatus(
                    device_id=self._registration.device_id,
                    timestamp=time.time(),
                    tunnels=list(tunnels)[:_MOST_TUNNELS],
                ).model_dump(mode="json"),
            )
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
