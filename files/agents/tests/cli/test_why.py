"""`nrs why` against the command as an endpoint answers it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nrs.cli.why import for_people
from nrs.endpoint import event_command
from nrs.endpoint.events import SwitchLog
from nrs.system.control import socket_path
from tests.endpoint.switches import WHEN, fields_of, log_of, switch

from .conftest import AGENTS, Nrs

UNIT = "network_access_endpoint"


@pytest.fixture
def endpoint(agent: Callable[..., None]) -> Callable[[SwitchLog], None]:
    """Puts an endpoint in place that has these switches."""

    def start(switches: SwitchLog) -> None:
        agent(UNIT, {}, events=lambda request: event_command.answer(switches, request))

    return start


@pytest.fixture(autouse=True)
def utc() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def test_people_get_a_line_for_each_of_the_last_moves(
    nrs: Nrs, endpoint: Callable[[SwitchLog], None]
) -> None:
    endpoint(SwitchLog(start=[switch(n, when=n, resent=n + 1) for n in range(1, 31)]))
    done = nrs("why", "--count", 2)
    assert (done.returncode, done.stderr) == (0, "")
    text = (
        "router_1 -> router_2: router_1 does not answer (3 probes unanswered, silent for 43 ms,"
        " RTT 0.6 ms); {} packets sent again; not router_3: held down"
    )
    assert done.stdout.splitlines() == [
        f"1970-01-01 00:00:29 {text.format(30)}",
        f"1970-01-01 00:00:30 {text.format(31)}",
    ]
    assert len(nrs("why").stdout.splitlines()) == 10


def test_the_date_is_left_out_today() -> None:
    """WHEN is 08:00:00 of a day; local time decides which day it is."""
    event = switch().as_dict()
    assert for_people([event], WHEN + 15 * 3600).startswith("08:00:00 router_1 -> router_2: ")
    assert for_people([event], WHEN + 16 * 3600).startswith("2027-01-15 08:00:00 router_1")


def test_json_is_what_was_kept(nrs: Nrs, endpoint: Callable[[SwitchLog], None]) -> None:
    switches = log_of(3)
    endpoint(switches)
    done = nrs("why", "--json", "--count", 2)
    assert json.loads(done.stdout) == [s.as_dict() for s in switches.last(2)]


@pytest.mark.parametrize(("count", "first"), [(150, 151), (250, 51), (300, 1), (1000, 1)])
def test_more_than_one_answer_holds(
    nrs: Nrs, endpoint: Callable[[SwitchLog], None], count: int, first: int
) -> None:
    endpoint(log_of(300))
    events = json.loads(nrs("why", "--json", "--count", count).stdout)
    assert [event["number"] for event in events] == list(range(first, 301))


def test_moves_while_it_asks_are_not_chased(nrs: Nrs, agent: Callable[..., None]) -> None:
    switches = log_of(300)

    def moving(request: dict[str, Any]) -> dict[str, Any]:
        switches.add(**fields_of())
        return event_command.answer(switches, request)

    agent(UNIT, {}, events=moving)
    events = json.loads(nrs("why", "--json", "--count", 150).stdout)
    assert [event["number"] for event in events] == list(range(152, 302))


def test_before_the_first_move(nrs: Nrs, endpoint: Callable[[SwitchLog], None]) -> None:
    endpoint(SwitchLog())
    done = nrs("why")
    assert (done.returncode, done.stdout) == (0, "traffic has not moved yet\n")
    assert json.loads(nrs("why", "--json").stdout) == []


def test_on_a_host_that_is_no_endpoint(nrs: Nrs, agent: Callable[..., None], runtime: Path) -> None:
    agent("routing_server", {})
    done = nrs("why")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "no access endpoint is running on this host, and only endpoints move traffic:"
        f" no control socket at {runtime}/{UNIT}.sock\n"
    )


def test_an_endpoint_of_an_earlier_release_is_no_traceback(
    nrs: Nrs, agent: Callable[..., None]
) -> None:
    agent(UNIT, {})
    done = nrs("why")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{UNIT}: unknown command 'events'; known: status\n"


def test_an_answer_in_another_form_is_no_traceback(nrs: Nrs, agent: Callable[..., None]) -> None:
    agent(UNIT, {}, events=lambda _: {"events": [{"number": 1}], "last": 1})
    done = nrs("why", "--count", 1)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{UNIT}: an answer of another release: switch: when")


@pytest.mark.parametrize("count", ["0", "-1", "x"])
def test_a_count_that_is_none(nrs: Nrs, count: str) -> None:
    assert nrs("why", "--count", count).returncode == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_who_may_not_ask_is_told_so(
    endpoint: Callable[[SwitchLog], None], capsys: pytest.CaptureFixture[str]
) -> None:
    from nrs.cli import why  # noqa: PLC0415

    endpoint(log_of(1))
    os.seteuid(65534)
    try:
        status = why.show(1, as_json=False)
    finally:
        os.seteuid(0)
    assert status == 1
    path = socket_path(UNIT)
    said = f"{UNIT}: permission denied at {path}: run `nrs why` as root\n"
    assert capsys.readouterr().err == said


def test_asking_why_loads_nothing_slow() -> None:
    code = """
import sys
from nrs.cli.main import main
try:
    main(["why"])
except SystemExit:
    pass
slow = {"rich", "pydantic", "flask", "sqlalchemy", "requests", "yaml", "pyroute2"}
print(sorted(slow & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=AGENTS, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
