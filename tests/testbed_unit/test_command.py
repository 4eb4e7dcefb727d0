"""Running a command: its output, and an error that says which, how and why."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from testbed.command import last_lines, run
from testbed.failed import Failed


def test_output_is_what_comes_of_the_input_in_the_place_and_environment_that_are_given(
    tmp_path: Path,
) -> None:
    script = 'cat; echo "$WORD"; pwd'
    said = run(["sh", "-c", script], stdin="in\n", env={"WORD": "word"}, cwd=tmp_path)
    assert said == f"in\nword\n{tmp_path}\n"


def test_nothing_can_be_read_where_nothing_is_given() -> None:
    assert run(["cat"]) == ""


def test_an_error_names_the_command_its_status_and_the_last_lines_of_what_it_said() -> None:
    with pytest.raises(Failed) as raised:
        run(["sh", "-c", "seq 40 >&2; echo out; exit 3"])
    first, second, *rest = str(raised.value).splitlines()
    assert (first, second) == ("sh -c seq 40 >&2; echo out; exit 3: exit 3", "26")
    assert rest[-1] == "40"


def test_what_is_on_standard_output_is_told_where_there_is_no_error_output() -> None:
    with pytest.raises(Failed, match=r"exit 1\nwhy$"):
        run(["sh", "-c", "echo why; exit 1"])


def test_a_status_need_not_matter() -> None:
    assert run(["sh", "-c", "echo out; exit 3"], check=False) == "out\n"


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(Failed, match=r"^no-such-program: not installed$"):
        run(["no-such-program", "--help"], check=False)


def test_a_command_that_does_not_end_is_ended() -> None:
    began = time.monotonic()
    with pytest.raises(Failed, match=r"^sleep 60: not finished after 0\.2 s$"):
        run(["sleep", 60], limit=0.2)
    assert time.monotonic() - began < 30


def test_last_lines() -> None:
    assert last_lines("a\nb\n") == "a\nb"
    assert last_lines("\n".join(map(str, range(100)))).splitlines()[0] == "85"
