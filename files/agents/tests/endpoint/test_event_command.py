from __future__ import annotations

from typing import Any

import pytest

from nrs.endpoint.event_command import MOST_EVENTS, answer
from nrs.endpoint.events import SwitchLog

from .switches import log_of


@pytest.mark.parametrize(
    ("request_", "numbers"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"count": 2}, [4, 5]),
        ({"count": 0}, []),
        ({"since": None, "count": None}, [1, 2, 3, 4, 5]),
        ({"since": 0}, [1, 2, 3, 4, 5]),
        ({"since": 3}, [4, 5]),
        ({"since": 1, "count": 2}, [2, 3]),
        ({"since": 5}, []),
        ({"since": 99}, []),
    ],
)
def test_a_page(request_: dict[str, Any], numbers: list[int]) -> None:
    given = answer(log_of(5), {"command": "events", **request_})
    assert [event["number"] for event in given["events"]] == numbers
    assert given["last"] == 5


def test_before_the_first_switch() -> None:
    assert answer(SwitchLog(), {}) == {"events": [], "last": 0}


def test_an_answer_is_bounded_and_the_rest_comes_page_by_page() -> None:
    switches = log_of(MOST_EVENTS + 20)
    first = answer(switches, {"since": 0, "count": 1000})
    second = answer(switches, {"since": first["events"][-1]["number"], "count": 1000})
    assert (len(first["events"]), len(second["events"])) == (MOST_EVENTS, 20)
    last = [e["number"] for e in answer(switches, {})["events"]]
    assert last == list(range(21, MOST_EVENTS + 21))


@pytest.mark.parametrize("field", ["since", "count"])
@pytest.mark.parametrize("value", [-1, 1.5, "1", True, []])
def test_what_is_no_number_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        answer(log_of(1), {field: value})
