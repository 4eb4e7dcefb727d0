from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nrs.agent import tasks
from nrs.agent.tasks import Task, Wake, Work, given, wait
from nrs.api.messages import Registration
from nrs.config.common import NetworkControllerAccess

HOUR = 3600.0


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The agent's end of the pipe that is this process's standard input."""
    reader, writer = os.pipe()
    with os.fdopen(reader, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield writer
        try:
            os.close(writer)
        except OSError:
            return


def test_what_the_agent_wants(agent: int) -> None:
    assert wait(0.0) is Wake.TIME
    assert wait(-1.0) is Wake.TIME
    os.write(agent, b"!!!")
    assert wait(HOUR) is Wake.HURRIED
    assert wait(0.0) is Wake.TIME
    os.close(agent)
    assert wait(HOUR) is Wake.ENDED


def test_only_what_is_urgent_is_done_when_the_agent_asks(agent: int) -> None:
    done: list[str] = []

    def urgent() -> None:
        done.append("urgent")
        if len(done) == 4:
            os.close(agent)
        else:
            os.write(agent, b"!")

    tasks.repeat([Task(HOUR, lambda: done.append("plain")), Task(HOUR, urgent, hurried=True)])
    assert done == ["plain", "urgent", "urgent", "urgent"]


def test_work_may_say_when_it_is_to_be_done_again(agent: int) -> None:
    done: list[str] = []

    def impatient() -> float | None:
        done.append("impatient")
        if len(done) == 3:
            os.close(agent)
        return 0.0 if len(done) == 1 else 0.01

    tasks.repeat([Task(HOUR, impatient)])
    assert done == ["impatient"] * 3


def work(log_file: Path | None = None) -> Work:
    return Work(
        log_file=log_file,
        tokens={"http://192.0.2.1:8080": "t" * 32},
        controller=NetworkControllerAccess(url=["https://[2001:db8::1]:8090"]),
        registration=Registration(device_id="r", device_type="routing_server", name="R"),
    )


def test_what_the_agent_gives_is_what_the_companion_works_with(agent: int) -> None:
    text = work().model_dump_json().encode() + b"\n"
    os.write(agent, text[:40])
    os.write(agent, text[40:] + b"!!")
    assert given(Work) == work()
    assert wait(0.0) is Wake.TIME, "it hurries anyway at first"


def test_a_companion_whose_agent_is_gone_ends_without_a_word(agent: int) -> None:
    os.close(agent)
    with pytest.raises(SystemExit) as ended:
        given(Work)
    assert ended.value.code == 0


def test_its_log_is_a_file_of_its_own(agent: int, tmp_path: Path) -> None:
    os.write(agent, work(tmp_path / "agent.log").model_dump_json().encode() + b"\n")
    given(Work)
    assert [path.name for path in tmp_path.iterdir()] == ["agent.reporter.log"]


def test_the_token_is_in_no_representation() -> None:
    assert "t" * 32 not in repr(work())
