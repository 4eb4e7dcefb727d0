from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrs.balancer.decide import table
from nrs.balancer.decide.table import DecisionTable, Entry, page


def entry(asked_at: float) -> Entry:
    return Entry("router_1", 0.0, None, asked_at)


def asked_at(decisions: DecisionTable, endpoint_id: str, now: float) -> float | None:
    found = decisions.get(endpoint_id, now)
    return None if found is None else found.asked_at


def test_an_hour_of_silence_is_forgotten() -> None:
    decisions = DecisionTable()
    decisions.put("a", entry(0.0))
    decisions.put("b", entry(10.0))
    assert asked_at(decisions, "a", 3599.9) == 0.0
    assert decisions.get("a", 3600.0) is None
    assert asked_at(decisions, "b", 3600.0) == 10.0
    assert len(decisions) == 1


def test_who_asks_again_is_not_forgotten() -> None:
    decisions = DecisionTable()
    decisions.put("a", entry(0.0))
    decisions.put("b", entry(10.0))
    decisions.put("a", entry(2000.0))
    assert asked_at(decisions, "a", 3700.0) == 2000.0
    assert decisions.get("b", 3700.0) is None


def test_the_last_five_minutes_are_active() -> None:
    decisions = DecisionTable()
    for number in range(10):
        decisions.put(f"endpoint_{number}", entry(100.0 * number))
    decisions.put("endpoint_0", entry(900.0))
    assert decisions.active(900.0) == 4
    assert decisions.active(1199.0) == 2
    assert decisions.active(1200.0) == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 400)), max_size=30))
def test_the_active_ones_are_counted_as_they_come_and_go(steps: list[tuple[int, int]]) -> None:
    decisions, now, asked = DecisionTable(), 0.0, {}
    for number, passed in steps:
        now += passed
        decisions.put(f"endpoint_{number}", entry(now))
        asked[number] = now
        decisions.forget(now)
        assert decisions.active(now) == sum(now - when < 300 for when in asked.values())


def test_the_number_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MOST_ENDPOINTS", 3)
    decisions = DecisionTable()
    for name in ("a", "b", "c", "a", "d"):
        decisions.put(name, entry(0.0))
    assert len(decisions) == 3
    assert decisions.get("b", 0.0) is None
    assert decisions.get("a", 0.0) is not None


def test_an_endpoint_may_use_its_candidates_or_any() -> None:
    assert Entry("a", 0.0, None, 0.0).may_use("b")
    assert Entry("a", 0.0, ("a", "b"), 0.0).may_use("b")
    assert not Entry("a", 0.0, ("a",), 0.0).may_use("b")


def test_looking_does_not_forget() -> None:
    decisions = DecisionTable()
    decisions.put("a", entry(0.0))
    assert decisions.peek("a") is not None
    decisions.forget(3600.0)
    assert decisions.peek("a") is None


def test_a_page_is_the_first_of_those_that_follow() -> None:
    ids = ["d", "b", "a", "c"]
    assert page(ids, None, 2) == (["a", "b"], "b")
    assert page(ids, "b", 2) == (["c", "d"], None)
    assert page(ids, "a", 2) == (["b", "c"], "c")
    assert page(ids, "d", 2) == ([], None)
