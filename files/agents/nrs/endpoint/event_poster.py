"""Posts the endpoint's switches to the controller; runs in the companion."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from nrs.agent.tasks import Work
from nrs.api.client import ApiClient, ApiRefused, ApiUnavailable
from nrs.system import control

log = logging.getLogger(__name__)

INTERVAL_S = 2.0
"""Between looks at what is new."""
GAP_WAIT_S = 5.0
"""An event is posted without its gap after so long."""
SPREAD_S = 5.0
"""A router that fails moves all of its endpoints: they post spread over so long."""
LARGEST_REQUEST = 60_000
"""Bytes; the controller takes 65,536."""
_BAD_REQUEST, _NOT_FOUND, _TOO_LARGE = 400, 404, 413


class EventPoster:
    """Posts each event once, in order, until the controller has taken it.

    What the controller knows it is asked at first: nothing is remembered here that
    could be lost, and a controller that has lost its data gets all that is kept.
    """

    def __init__(
        self,
        work: Work,
        socket: Path,
        *,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        spread: Callable[[], float] = lambda: random.uniform(0, SPREAD_S),  # noqa: S311 - no secret  # nosec B311
    ) -> None:
        """`socket` is the agent's control socket; `spread` says how long to hold back events."""
        access = work.controller
        self._client = ApiClient(access.url, work.tokens) if access.url else None
        self._retry_s = access.status_interval
        self._device_id = work.registration.device_id
        self._socket = socket
        self._wall_clock = wall_clock
        self._clock = clock
        self._spread = spread
        self._posted: int | None = None
        self._post_at: float | None = None
        self._failing = False

    def look(self) -> None:
        """Post what is ready. Raises ControlError when the agent does not answer."""
        if self._client is None:
            return
        if self._post_at is None and self._ready(1):
            self._post_at = self._clock() + self._spread()
        if self._post_at is None or self._clock() < self._post_at:
            return
        try:
            self._post_new(self._client)
        except (ApiRefused, ApiUnavailable) as error:
            self._post_at = self._clock() + self._retry_s + self._spread()
            self._failed(error)
            return
        self._post_at = None
        if self._failing:
            log.info("the network controller takes this device's events again")
        self._failing = False

    def _failed(self, error: ApiRefused | ApiUnavailable) -> None:
        if isinstance(error, ApiRefused) and error.status == _NOT_FOUND:
            self._posted = None  # it has forgotten this device, and its events with it
        if not self._failing:
            log.warning("the network controller does not take this device's events: %s", error)
        self._failing = True

    def _ready(self, count: int | None = None) -> list[dict[str, Any]]:
        """The next events that wait for nothing any more, up to `count`."""
        page = control.request(self._socket, "events", since=self._posted or 0, count=count)
        now = self._wall_clock()
        return list(takewhile(lambda event: _is_ready(event, now), page["events"]))

    def _post_new(self, client: ApiClient) -> None:
        if self._posted is None:
            self._posted = self._known(client)
        for events in portions(self._ready()):
            self._post(client, events)
            self._posted = events[-1]["number"]

    def _known(self, client: ApiClient) -> int:
        """The number up to which the controller has the events that are kept here."""
        answer = client.get("/events", {"device_id": self._device_id, "limit": "1"})
        if not answer["events"]:
            return 0
        newest = answer["events"][-1]
        number = int(newest["number"])
        page = control.request(self._socket, "events", since=number - 1, count=1)
        # A device that has lost its state counts from 1 again: the time tells.
        same = page["events"] and page["events"][0]["when"] == newest["when"]
        return number if same and page["events"][0]["number"] == number else 0

    def _post(self, client: ApiClient, events: Sequence[dict[str, Any]]) -> None:
        """Post `events`; one that the controller will never take is given up."""
        try:
            client.post("/events", {"device_id": self._device_id, "events": list(events)})
        except ApiRefused as error:
            if error.status not in {_BAD_REQUEST, _TOO_LARGE}:
                raise
            if len(events) == 1:
                log.warning("event %d is not posted: %s", events[0]["number"], error)
                return
            for event in events:
                self._post(client, [event])


def portions(
    events: Sequence[dict[str, Any]], largest: int = LARGEST_REQUEST
) -> Iterator[list[dict[str, Any]]]:
    """`events` in lists that fit into a request of `largest` bytes each; never an empty one."""
    portion: list[dict[str, Any]] = []
    size = 0
    for event in events:
        length = len(json.dumps(event)) + 2
        if portion and size + length > largest:
            yield portion
            portion, size = [], 0
        portion.append(event)
        size += length
    if portion:
        yield portion


def _is_ready(event: dict[str, Any], now: float) -> bool:
    """Whether its gap is known, or will not be; a clock may have been set back meanwhile."""
    return event["gap_ms"] is not None or not 0 <= now - event["when"] < GAP_WAIT_S
