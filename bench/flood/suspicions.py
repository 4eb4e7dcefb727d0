"""How often an endpoint has thought that a tunnel is not well, from what its status says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Suspicions:
    """Of a tunnel whose path carries everything all the time."""

    def __init__(self) -> None:
        self.count = 0
        self._state: str | None = None
        self._since = 0.0

    def saw(self, tunnel: Mapping[str, Any] | None) -> None:
        """Its part of the status; None where the endpoint did not answer.

        One that is in the same state since another time has been in another in between.
        """
        if tunnel is None:
            return
        state, since = str(tunnel["state"]), float(tunnel["since"])
        left_it = self._state == "up" and (state, since) != (self._state, self._since)
        was_back = self._state == state != "up" and since != self._since
        if left_it or was_back:
            self.count += 1
        self._state, self._since = state, since
