"""The event source as a rule engine runs it, against a controller that goes and comes back."""

from __future__ import annotations

import asyncio
import os
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from services import event, registration
from tests.controller.process import ControllerProcess

SOURCE = runpy.run_path(
    str(
        Path(os.environ["ANSIBLE_COLLECTIONS_PATH"])
        / "ansible_collections/nrs/network_routing/extensions/eda/plugins/event_source"
        / "controller_events.py"
    )
)
ROUTERS = [("router_1", "routing_server"), ("router_2", "routing_server")]
WAIT_S = 30
SILENT_S = 1.0


def known(*ages: float) -> list[dict[str, Any]]:
    """The two routers, and an endpoint, last seen so long before 1000."""
    kinds = [*ROUTERS, ("endpoint_1", "network_access_endpoint")]
    return [
        {"device_id": name, "device_type": kind, "last_seen": 1000.0 - age}
        for (name, kind), age in zip(kinds, ages, strict=True)
    ]


def test_a_silent_device_is_told_of_once() -> None:
    silence = SOURCE["Silence"](60.0)

    def told(*ages: float) -> list[dict[str, Any]]:
        return list(silence.events(known(*ages), 1000.0))

    router = {"device_id": "router_1", "device_type": "routing_server"}
    assert told(1, 1, 100) == []
    assert told(61, 60, 100) == [{"silent": {**router, "silent_s": 61.0, "share": 0.5}}]
    assert told(66, 60, 100) == []
    assert [event["silent"]["share"] for event in told(71, 61, 100)] == [1.0]
    assert told(0, 66, 100) == [{"heard": {**router, "silent_s": 0.0, "share": 0.5}}]


def test_a_move_is_told_of_once() -> None:
    moves = SOURCE["Moves"]()
    told = [{"device_id": "endpoint_1", "number": n, "when": 1.0} for n in range(3000)]
    assert list(moves.events(told[:1])) == []
    assert list(moves.events(told[:3])) == [{"move": told[1]}, {"move": told[2]}]
    assert list(moves.events(told[1:3])) == []
    assert list(moves.events(told[2:1002])) == [{"move": move} for move in told[3:1002]]
    assert next(moves.events(told[2000:])) == {"missed": True}


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[ControllerProcess]:
    started = ControllerProcess(tmp_path)
    started.start()
    yield started
    started.close()


def _post(controller: ControllerProcess, path: str, body: Any) -> None:
    assert controller.call("POST", path, body).ok


def _options(controller: ControllerProcess) -> dict[str, Any]:
    token = controller.bearer["Authorization"].split()[1]
    return {"url": controller.url, "token": token, "interval": 0.1, "silent_after": SILENT_S}


async def _told(controller: ControllerProcess) -> list[dict[str, Any]]:
    """A device that falls silent, and two moves between which the controller is started anew."""
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    source = asyncio.create_task(SOURCE["main"](queue, _options(controller)))

    async def heard_of_at_times() -> None:
        while True:
            await asyncio.to_thread(_post, controller, "/register", registration("endpoint_1"))
            await asyncio.sleep(3 * SILENT_S)

    async def next_of(kind: str) -> dict[str, Any]:
        while True:
            waited = asyncio.create_task(queue.get())
            await asyncio.wait([waited, source], timeout=WAIT_S, return_when="FIRST_COMPLETED")
            assert waited.done(), source
            if kind in waited.result():
                return waited.result()

    try:
        # It may be silent already when the source starts, which is no event.
        device = asyncio.create_task(heard_of_at_times())
        silent = await next_of("silent")
        device.cancel()
        post = {"device_id": "endpoint_1", "events": [event(1), event(2)]}
        await asyncio.to_thread(_post, controller, "/events", post)
        move = await next_of("move")
        await asyncio.to_thread(controller.close)
        await asyncio.to_thread(controller.start)
        post["events"] = [event(2), event(3)]
        await asyncio.to_thread(_post, controller, "/events", post)
        return [silent, move, await next_of("move")]
    finally:
        source.cancel()
        await asyncio.gather(source, return_exceptions=True)


def test_events_of_a_controller_that_is_started_anew(controller: ControllerProcess) -> None:
    _post(controller, "/register", registration("endpoint_1"))
    _post(controller, "/events", {"device_id": "endpoint_1", "events": [event(1)]})
    silent, move, later = asyncio.run(_told(controller))
    assert silent["silent"]["device_id"] == "endpoint_1"
    assert (move["move"]["device_id"], move["move"]["number"]) == ("endpoint_1", 2)
    assert later["move"]["number"] == 3


def test_what_the_controller_refuses_ends_it(controller: ControllerProcess) -> None:
    options = {**_options(controller), "token": "x" * 32}
    with pytest.raises(Exception, match="answered 401"):
        asyncio.run(SOURCE["main"](None, options))
