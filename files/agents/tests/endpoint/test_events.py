from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrs.endpoint.events import Evidence, Switch, SwitchLog, one_line

from .switches import evidence, fields_of, log_of, switch


def numbers(switches: list[Switch]) -> list[int]:
    return [switch.number for switch in switches]


def test_switches_are_numbered_from_1_and_kept_in_order() -> None:
    switches = log_of(3)
    assert numbers(switches.last()) == [1, 2, 3]
    assert numbers(switches.last(2)) == [2, 3]
    assert switches.last(0) == []
    assert numbers(switches.last(9)) == [1, 2, 3]
    assert numbers(switches.since(0)) == [1, 2, 3]
    assert numbers(switches.since(2)) == [3]
    assert switches.since(3) == []


def test_the_oldest_are_forgotten_and_their_numbers_not_used_again() -> None:
    assert numbers(log_of(1003).last())[::999] == [4, 1003]
    switches = log_of(5, most=2)
    assert numbers(switches.last()) == [4, 5]
    assert numbers(switches.since(1)) == [4, 5]


def test_it_goes_on_after_what_is_given() -> None:
    switches = SwitchLog(most=3, start=[switch(7), switch(4), switch(9), switch(8), switch(8)])
    assert numbers(switches.last()) == [7, 8, 9]
    assert switches.add(**fields_of()).number == 10
    assert numbers(switches.last()) == [8, 9, 10]


def test_a_gap_is_noted_at_its_switch_and_nowhere_else() -> None:
    switches = log_of(3)
    before = switches.last()
    measured = switches.measured(2, 43.5)
    assert measured is not None
    assert (measured.number, measured.gap_ms) == (2, 43.5)
    assert switches.last() == [before[0], measured, before[2]]
    assert [s.gap_ms for s in before] == [None, None, None]


def test_a_gap_of_a_switch_that_is_forgotten_or_unknown_is_dropped() -> None:
    switches = log_of(3, most=2)
    assert switches.measured(1, 1.0) is None
    assert switches.measured(4, 1.0) is None
    assert [s.gap_ms for s in switches.last()] == [None, None]


def test_what_was_given_may_change_afterwards() -> None:
    rejected = {"router_3": "held down"}
    tunnels = [evidence()]
    kept = SwitchLog().add(**fields_of(rejected=rejected, evidence=tunnels))
    rejected.clear()
    tunnels.clear()
    assert (dict(kept.rejected), len(kept.evidence)) == ({"router_3": "held down"}, 1)


@pytest.mark.parametrize(
    "original",
    [
        switch(),
        switch(2, before=None, rejected={}, evidence=(), gap_ms=0.0),
        switch(3, evidence=(evidence(rtt_ms=None, loss=None, silent_ms=None),), gap_ms=44.5),
    ],
)
def test_a_switch_survives_json(original: Switch) -> None:
    assert Switch.from_dict(json.loads(json.dumps(original.as_dict()))) == original


def test_fields_of_a_later_release_are_left_out() -> None:
    data = switch().as_dict()
    data["colour"] = "red"
    data["evidence"][0]["colour"] = "red"
    assert Switch.from_dict(data) == switch()


DAMAGE: list[tuple[str, Any]] = [
    ("number", 0),
    ("number", -1),
    ("number", True),
    ("number", 1.0),
    ("number", None),
    ("when", "now"),
    ("when", float("nan")),
    ("when", 10**400),
    ("before", 1),
    ("after", None),
    ("cause", None),
    ("evidence", None),
    ("evidence", {}),
    ("evidence", [None]),
    ("rejected", []),
    ("rejected", {"router_3": None}),
    ("resent", -1),
    ("flows_moved", 0.5),
    ("gap_ms", "44"),
    ("gap_ms", float("inf")),
]


@pytest.mark.parametrize(("field", "value"), DAMAGE)
def test_a_damaged_switch_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        Switch.from_dict({**switch().as_dict(), field: value})


@pytest.mark.parametrize("field", [f for f in evidence().as_dict() if f not in {"rtt_ms", "loss"}])
def test_damaged_evidence_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        Evidence.from_dict({**evidence().as_dict(), field: []})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from([*switch().as_dict(), *evidence().as_dict()]), inner, max_size=10
            )
        ),
    )
)
def test_anything_at_all_is_a_switch_or_a_value_error(data: object) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(Switch.from_dict(data), Switch)


@pytest.mark.parametrize(
    ("noted", "line"),
    [
        (
            switch(gap_ms=44.2),
            "router_1 -> router_2: router_1 does not answer (3 probes unanswered, silent for 43 ms,"
            " RTT 0.6 ms); gap 44 ms; 12 packets sent again; not router_3: held down",
        ),
        (
            switch(
                before=None,
                cause="first tunnel",
                evidence=(evidence(), evidence("router_2", unanswered=1, rtt_ms=7.5)),
                rejected={"router_1": "it is no better"},
                resent=0,
            ),
            "none -> router_2: first tunnel (RTT 7.5 ms); not router_1: it is no better",
        ),
        (
            switch(
                cause="load balancer's advice",
                evidence=(evidence(rtt_ms=12.6, loss=0.025, unanswered=2),),
                rejected={"router_1": "it is no better"},
                resent=1,
                flows_moved=1,
                gap_ms=0.0,
            ),
            "router_1 -> router_2: load balancer's advice (loss 2.5 %, RTT 13 ms); gap 0 ms;"
            " 1 flow moved; 1 packet sent again",
        ),
        (
            switch(
                evidence=(evidence(state="down", unanswered=1, silent_ms=12_345.0, rtt_ms=None),),
                rejected={"router_3": "down", "router_4": "draining"},
                resent=0,
                flows_moved=7,
                gap_ms=9_999.6,
            ),
            "router_1 -> router_2: router_1 does not answer"
            " (1 probe unanswered, silent for 12.3 s); gap 10.0 s; 7 flows moved;"
            " not router_3: down; not router_4: draining",
        ),
        (
            switch(evidence=(), rejected={}, resent=0),
            "router_1 -> router_2: router_1 does not answer",
        ),
    ],
)
def test_one_line_says_why(noted: Switch, line: str) -> None:
    assert one_line(noted) == line
