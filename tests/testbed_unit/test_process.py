"""Processes that go on: what they say, and that they end."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from testbed import proc, process
from testbed.failed import Failed
from testbed.wait import NotInTime, wait_until

STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.1; done"


def test_a_log_has_both_outputs_and_the_tail_is_its_end(tmp_path: Path) -> None:
    child = process.start("x", ["sh", "-c", "echo out; seq 40 >&2"], log=tmp_path / "log")
    assert child.process.wait(20) == 0
    assert child.said.splitlines()[:2] == ["out", "1"]
    assert child.tail.splitlines()[0] == "26"


def test_one_that_has_ended_is_told_of_with_its_last_words(tmp_path: Path) -> None:
    child = process.start("x", ["sh", "-c", "echo why; exit 3"], log=tmp_path / "log")
    child.process.wait(20)
    with pytest.raises(Failed, match=r"^x ended with status 3:\nwhy$"):
        child.check()


def test_a_conversation(tmp_path: Path) -> None:
    child = process.start("x", ["cat"], log=tmp_path / "log", conversation=True)
    assert child.process.stdin is not None
    child.process.stdin.write(b"one\n")
    child.process.stdin.flush()
    assert child.line(20) == "one\n"
    with pytest.raises(Failed, match=r"^x: says nothing for 0\.1 s$"):
        child.line(0.1)
    child.process.stdin.close()
    with pytest.raises(Failed, match=r"^x ended with status 0"):
        child.line(20)
    child.end()


def test_what_one_gets_to_do_is_waited_for_as_long_as_it_runs(tmp_path: Path) -> None:
    child = process.start("x", ["sh", "-c", "sleep 0.3; echo done"], log=tmp_path / "log")
    child.wait_until(lambda: child.process.poll() is None, 20, "it runs")
    with pytest.raises(Failed, match=r"not within 0\.1 s: never\n$"):
        child.wait_until(lambda: False, 0.1, "never")
    with pytest.raises(Failed, match=r"^x ended with status 0:\ndone$"):
        child.wait_until(lambda: False, 20, "never")


def test_all_are_asked_to_end_and_may_tidy_up(tmp_path: Path) -> None:
    script = f'trap "touch {tmp_path}/$0; exit" TERM; echo ready; while :; do sleep 0.01; done'
    children = [process.start(n, ["sh", "-c", script, n], conversation=True) for n in "ab"]
    for child in children:
        assert child.line(20) == "ready\n"
    process.end([child.process for child in children])
    assert [child.process.returncode for child in children] == [0, 0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    for child in children:
        assert child.process.stdout is not None
        assert child.process.stdout.closed


def test_what_ignores_a_request_is_killed() -> None:
    child = process.start("x", ["sh", "-c", STUBBORN], conversation=True)
    child.line(20)
    child.end(0.3)
    assert child.process.returncode == -signal.SIGKILL


def test_by_number_too_and_without_waiting_for_its_parent() -> None:
    stubborn = subprocess.Popen(["sh", "-c", STUBBORN], stdout=subprocess.PIPE)
    meek = subprocess.Popen(["sleep", "60"])
    with stubborn.stdout as output:
        output.readline()
    began = time.monotonic()
    process.end_pids([stubborn.pid, meek.pid], 0.5)
    assert time.monotonic() - began < 10
    assert not proc.runs(stubborn.pid)
    assert (stubborn.wait(), meek.wait()) == (-signal.SIGKILL, -signal.SIGTERM)


def test_waiting_gives_the_answer_or_says_what_has_not_come() -> None:
    answers = iter([None, [], "yes"])
    assert wait_until(lambda: next(answers), 20, "an answer", every=0.001) == "yes"
    with pytest.raises(NotInTime, match=r"^not within 0\.05 s: rain$"):
        wait_until(lambda: 0, 0.05, "rain")
