"""The poster between an endpoint's control socket and the API of a controller."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask import request as flask_request
from sqlalchemy import delete

from nrs.agent.tasks import Work
from nrs.api.messages import EventReport, Registration
from nrs.config.common import NetworkControllerAccess
from nrs.config.loader import build
from nrs.controller.config import NetworkControllerConfig
from nrs.controller.database import Database
from nrs.controller.events import Events
from nrs.controller.http.app import create_app
from nrs.controller.models import Device, Event
from nrs.controller.registry import Registry
from nrs.endpoint import event_command
from nrs.endpoint.event_poster import GAP_WAIT_S, EventPoster, portions
from nrs.endpoint.events import SwitchLog
from nrs.system.control import ControlError, ControlThread, socket_path
from tests.api.callers import shared
from tests.serving import serving

from .switches import WHEN, fields_of, switch

TOKEN = "t" * 40
SPREAD_S = 3.0
RETRY_S = 10.0


class Time:
    """Both clocks of the poster."""

    def __init__(self) -> None:
        self.passed = 0.0

    def wall(self) -> float:
        return WHEN + self.passed

    def steady(self) -> float:
        return 1000.0 + self.passed


class Controller:
    """A controller that can be made to fail, and what it was asked."""

    def __init__(self, directory: Path) -> None:
        data = {"controller": {"bind_address": "::1"}}
        config = build(data, NetworkControllerConfig, "test")
        self.database = Database(f"sqlite:///{directory}/registry.sqlite3")
        self.registry = Registry(self.database, config, lambda: WHEN)
        self.events = Events(self.database)
        self.app: Flask = create_app(shared(TOKEN), self.registry, self.events, lambda: WHEN)
        self.failure: int | None = None
        self.posted: list[list[int]] = []
        self.app.before_request_funcs.setdefault(None, []).append(self._note)

    def _note(self) -> Any:
        if self.failure is not None:
            return {"error": "broken on purpose", "field": None}, self.failure
        if flask_request.method == "POST":
            body = json.loads(flask_request.get_data())
            self.posted.append([event["number"] for event in body["events"]])
        return None

    def register(self) -> None:
        self.registry.register(
            Registration(device_id="endpoint_1", device_type="network_access_endpoint", name="one")
        )

    def numbers(self) -> list[int]:
        return [event["number"] for event in self.events.last(1000)]


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Controller]:
    made = Controller(tmp_path)
    made.register()
    yield made
    made.registry.close()


@pytest.fixture
def time_() -> Time:
    return Time()


@pytest.fixture
def switches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SwitchLog]:
    """The switches of an endpoint whose control socket is in place."""
    monkeypatch.setenv("NRS_RUNTIME_DIRECTORY", str(tmp_path))
    kept = SwitchLog()
    handlers = {"events": lambda request: event_command.answer(kept, request)}
    thread = ControlThread(socket_path("endpoint"), handlers)
    thread.start()
    yield kept
    thread.stop()


def work(url: list[str] | None) -> Work:
    """What a companion is given; its controllers are at `url`."""
    return Work(
        log_file=None,
        tokens=dict.fromkeys(url or (), TOKEN),
        controller=NetworkControllerAccess(url=url, status_interval=RETRY_S),
        registration=Registration(
            device_id="endpoint_1",
            device_type="network_access_endpoint",
            name="one",
            version="1",
        ),
    )


Open = Callable[[], EventPoster]


@pytest.fixture
def poster(controller: Controller, time_: Time, switches: SwitchLog) -> Iterator[Open]:
    """Makes posters, each as another start of the companion would."""
    with serving(controller.app) as port:

        def opened() -> EventPoster:
            return EventPoster(
                work([f"http://127.0.0.1:{port}"]),
                socket_path("endpoint"),
                wall_clock=time_.wall,
                clock=time_.steady,
                spread=lambda: SPREAD_S,
            )

        yield opened


def pass_(time_: Time, poster: EventPoster, seconds: float = SPREAD_S) -> None:
    """A look, some time, and a look again."""
    poster.look()
    time_.passed += seconds
    poster.look()


def add(switches: SwitchLog, time_: Time, gap_ms: float | None = 44.0) -> int:
    number = switches.add(**fields_of(when=time_.wall())).number
    if gap_ms is not None:
        switches.measured(number, gap_ms)
    return number


def test_a_measured_event_is_posted_once(
    controller: Controller, poster: Open, switches: SwitchLog, time_: Time
) -> None:
    companion = poster()
    add(switches, time_)
    for _ in range(5):
        pass_(time_, companion)
    assert controller.posted == [[1]]
    (kept,) = controller.events.last(10)
    assert kept == {"device_id": "endpoint_1", **switches.last()[0].as_dict()}
    add(switches, time_)
    add(switches, time_)
    pass_(time_, companion)
    assert controller.posted == [[1], [2, 3]]


def test_posts_are_spread_in_time(
    controller: Controller, poster: Open, switches: SwitchLog, time_: Time
) -> None:
    companion = poster()
    for posts in (1, 2):
        add(switches, time_)
        pass_(time_, companion, SPREAD_S - 0.01)
        assert len(controller.posted) == posts - 1
        time_.passed += 0.01
        companion.look()
        assert len(controller.posted) == posts


def test_an_event_waits_a_while_for_its_gap_and_so_do_later_ones(
    controller: Controller, poster: Open, switches: SwitchLog, time_: Time
) -> None:
    companion = poster()
    add(switches, time_, gap_ms=None)
    add(switches, time_)
    time_.passed += GAP_WAIT_S - SPREAD_S - 0.01
    pass_(time_, companion)
    assert controller.posted == []
    time_.passed += 0.01
    pass_(time_, companion)
    assert controller.posted == [[1, 2]]
    assert [event["gap_ms"] for event in controller.events.last(10)] == [None, 44.0]


def test_a_clock_that_was_set_back_holds_no_event_back(
    controller: Controller, poster: Open, switches: SwitchLog, time_: Time
) -> None:
    switches.add(**fields_of(when=time_.wall() + 3600))
    pass_(time_, poster())
    assert controller.posted == [[1]]


def test_it_tries_again_until_the_controller_takes_them(
    controller: Controller,
    poster: Open,
    switches: SwitchLog,
    time_: Time,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "nrs.endpoint")
    companion = poster()
    add(switches, time_)
    controller.failure = 503
    pass_(time_, companion)
    for _ in range(3):
        time_.passed += RETRY_S + SPREAD_S
        companion.look()
    controller.failure = None
    add(switches, time_)
    time_.passed += RETRY_S + SPREAD_S - 0.01
    companion.look()
    assert controller.posted == []
    time_.passed += 0.01
    companion.look()
    assert controller.posted == [[1, 2]]
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert [level for level, _ in said] == ["WARNING", "INFO"]
    assert "503: broken on purpose" in said[0][1]


def test_a_controller_that_cannot_be_reached_is_tried_again(
    switches: SwitchLog, time_: Time, caplog: pytest.LogCaptureFixture
) -> None:
    companion = EventPoster(
        work(["http://127.0.0.1:9"]),
        socket_path("endpoint"),
        clock=time_.steady,
        spread=lambda: 0,
    )
    add(switches, time_)
    companion.look()
    assert "http://127.0.0.1:9: connection failed" in caplog.text


def test_another_companion_goes_on_where_the_last_one_was(
    controller: Controller, poster: Open, switches: SwitchLog, time_: Time
) -> None:
    add(switches, time_)
    add(switches, time_)
    pass_(time_, poster())
    companion = poster()
    pass_(time_, companion)
    add(switches, time_)
    pass_(time_, companion)
    assert controller.posted == [[1, 2], [3]]


def test_an_endpoint_that_counts_from_1_again_posts_what_it_has(
    controller: Controller, poster: Open, switches: SwitchLog, time_: Time
) -> None:
    """Its state was lost: event 2 of now is not event 2 of then."""
    lost = [switch(n, when=WHEN - 1000 + n).as_dict() for n in (1, 2)]
    report = EventReport.model_validate({"device_id": "endpoint_1", "events": lost})
    controller.events.record(report)
    for _ in range(3):
        add(switches, time_)
    pass_(time_, poster())
    assert controller.numbers() == [1, 2, 1, 2, 3]


def test_a_controller_that_has_lost_its_data_gets_all_that_is_kept(
    controller: Controller, poster: Open, switches: SwitchLog, time_: Time
) -> None:
    companion = poster()
    add(switches, time_)
    pass_(time_, companion)
    with controller.database.writing() as session:
        session.execute(delete(Device))
        session.execute(delete(Event))
    add(switches, time_)
    pass_(time_, companion)  # 404: not registered
    controller.register()
    pass_(time_, companion, RETRY_S + SPREAD_S)
    assert controller.numbers() == [1, 2]


def test_many_events_go_in_several_requests(
    controller: Controller, poster: Open, switches: SwitchLog, time_: Time
) -> None:
    companion = poster()
    for _ in range(150):
        number = switches.add(**fields_of(cause="x" * 250)).number
        switches.measured(number, 1.0)
    for _ in range(4):
        pass_(time_, companion)
    assert controller.numbers() == list(range(1, 151))
    assert len(controller.posted) >= 3


def test_an_event_that_is_refused_for_good_holds_up_no_other(
    controller: Controller,
    poster: Open,
    switches: SwitchLog,
    time_: Time,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for cause in ("good", "x" * 257, "good", "x" * 70_000, "good"):
        switches.measured(switches.add(**fields_of(cause=cause)).number, 1.0)
    companion = poster()
    pass_(time_, companion)
    assert controller.numbers() == [1, 3, 5]
    assert "event 2 is not posted" in caplog.text
    assert "event 4 is not posted" in caplog.text
    before = len(controller.posted)
    pass_(time_, companion)
    assert len(controller.posted) == before


def test_without_a_controller_nothing_is_asked(tmp_path: Path) -> None:
    EventPoster(work(None), tmp_path / "none").look()


def test_an_agent_that_does_not_answer_is_said(tmp_path: Path) -> None:
    with pytest.raises(ControlError):
        EventPoster(work(["http://127.0.0.1:9"]), tmp_path / "none").look()


def test_portions_are_as_large_as_allowed_and_no_larger() -> None:
    events = [{"n": n} for n in range(10)]
    each = len('{"n": 0}') + 2
    assert [len(p) for p in portions(events, 3 * each)] == [3, 3, 3, 1]
    assert [len(p) for p in portions(events, 1)] == [1] * 10
    assert list(portions([])) == []
