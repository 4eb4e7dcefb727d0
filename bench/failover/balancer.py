"""The lab's load balancer: made to prefer a router at once, as it would by itself in time."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.failover.rig import BALANCER, CONFIGURATION, ENDPOINT, ENDPOINT_UNIT, Rig
from lab.tokens import opener, operator_token
from testbed.failed import Failed

_UNIT = "load_balancer"
_CONTROL = "control"
_PORT = 8080
_TIMEOUT_S = 5.0
_SETTLE_S = 3.0
_TOKEN_S = 4 * 3600
"""Longer than all faults take."""
_HURRY = {"anti_flap_hold_time": "0.0"}
_ENDPOINT_HURRY = {"poll_interval": "0.5"}


class Balancer:
    """Decides without hold time, and is asked twice a second, until `close`."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        address = next(
            address
            for interface in rig.host(BALANCER).on("management")
            for address in interface.plain_addresses
            if ":" in address
        )
        self._url = f"https://[{address}]:{_PORT}"
        self._token = operator_token(rig.settings, self._url, _TOKEN_S)
        self._opener = opener(rig.settings)
        self._before: list[tuple[str, str, str]] = []
        self._states: dict[str, str] = {}

    def hurry(self) -> None:
        """Raises Failed."""
        self._set(BALANCER, _UNIT, _HURRY)
        self._set(ENDPOINT, ENDPOINT_UNIT, _ENDPOINT_HURRY)
        # What a reload sets going is over before anything is measured.
        time.sleep(_SETTLE_S)

    def close(self) -> None:
        """Put the configuration and the routers' states back."""
        for router in self._states:
            with suppress(Failed):  # the load balancer may be stopped
                self._set_state(router, "active")
        while self._before:
            host, unit, text = self._before.pop()
            self._write(host, unit, text)

    def prefer(self, router: str) -> None:
        """Set the endpoint's other routers to draining, and this one to active. Raises Failed.

        Until it prefers another one, or is closed. Moves by score alone would be limited to one in
        a report interval.
        """
        for one in self._rig.routers():
            self._set_state(one, "active" if one == router else "draining")

    def _set_state(self, router: str, state: str) -> None:
        if self._states.get(router) != state:
            self._call(f"/servers/{router}/state", {"state": state})
            self._states[router] = state

    def _call(self, path: str, body: dict[str, Any]) -> None:
        request = urllib.request.Request(  # noqa: S310 - of the lab
            self._url + path,
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            method="PUT",
        )
        try:
            with self._rig.network.namespace(_CONTROL).inside():
                self._opener.open(request, timeout=_TIMEOUT_S).read()
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            raise Failed(f"load balancer: {path}: {error}: {said}") from None
        except OSError as error:
            raise Failed(f"load balancer: {path}: {error}") from None

    def _set(self, host: str, unit: str, values: dict[str, str]) -> None:
        text = self._path(host, unit).read_text(encoding="utf-8")
        self._before.append((host, unit, text))
        self._write(host, unit, with_values(text, values))

    def _write(self, host: str, unit: str, text: str) -> None:
        # In place: owner and mode stay.
        self._path(host, unit).write_text(text, encoding="utf-8")
        self._rig.shell(host).run(f"systemctl reload {unit}")

    def _path(self, host: str, unit: str) -> Path:
        return self._rig.file(host, f"{CONFIGURATION}/{unit}.yaml")


def with_values(text: str, values: dict[str, str]) -> str:
    """A configuration with other values for some keys. Raises Failed where one is missing."""
    for key, value in values.items():
        text, count = re.subn(rf"^(\s+{key}:).*$", rf"\1 {value}", text, flags=re.MULTILINE)
        if not count:
            raise Failed(f"no {key} in the configuration")
    return text
