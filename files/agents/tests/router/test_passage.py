from __future__ import annotations

import pytest

from nrs.router.passage import HURRIED_S, INTERVAL_S, RETRY_S, WINDOW_S, Passage, State, Traffic


def ticks(passage: Passage, seen: str, *, endpoints: int = 0, sure: bool = True) -> str:
    """The state after each tick: `b` both answered, `e` the echo alone, `p` the probe, `.` none."""
    states = ""
    for number, what in enumerate(seen):
        passage.tick(
            float(number), echoed=what in "be", probed=what in "bp", endpoints=endpoints, sure=sure
        )
        states += passage.state.name[0]
    return states


@pytest.mark.parametrize(
    ("seen", "states"),
    [
        ("b", "O"),
        ("p", "O"),
        ("....", "UUUU"),
        ("eee", "UUS"),
        ("b...", "OOOO"),
        ("bee", "OOO"),
        ("beee", "OOOS"),
        ("beebee", "OOOOOO"),
        ("e.e.e", "UUUUS"),
        ("eeebb", "UUSSO"),
        ("eeebebb", "UUSSSSO"),
        ("eee....", "UUSSSSS"),
    ],
)
def test_probes_are_held_against_echoes_of_the_host(seen: str, states: str) -> None:
    assert ticks(Passage(), seen) == states


def test_a_probe_that_need_not_come_back_shuts_nothing() -> None:
    passage = Passage()
    assert ticks(passage, "eeeeee", sure=False) == "UUUUUU"
    assert passage.missed


def test_what_is_in_doubt_is_asked_more_often() -> None:
    passage = Passage()
    assert passage.interval == HURRIED_S
    ticks(passage, "b")
    assert passage.interval == INTERVAL_S
    ticks(passage, "e")
    assert passage.interval == HURRIED_S


def test_while_endpoints_send_their_traffic_is_looked_at_first() -> None:
    passage = Passage()
    assert ticks(passage, "beeee", endpoints=1) == "OOOOO"
    assert passage.wants_traffic(1)
    passage.handle_traffic(Traffic(10, 10, 100), 1, 4.0)
    assert ticks(passage, "e", endpoints=1) == "O"
    passage.handle_traffic(Traffic(20, 10, 100), 1, 5.5)
    passage.tick(5.6, echoed=True, probed=False, endpoints=1, sure=True)
    assert passage.state is State.SHUT


def test_connections_that_pass_speak_against_the_probes() -> None:
    passage = Passage()
    ticks(passage, "eee")
    assert passage.state is State.SHUT
    passage.handle_traffic(Traffic(10, 5, 100), 1, 4.0)
    passage.handle_traffic(Traffic(11, 6, 120), 1, 5.0)
    assert passage.state is State.OPEN
    passage.tick(5.1, echoed=True, probed=False, endpoints=1, sure=True)
    assert passage.state is State.OPEN
    assert passage.missed


def test_old_connections_that_pass_do_not() -> None:
    passage = Passage()
    ticks(passage, "eee")
    passage.handle_traffic(Traffic(10, 5, 100), 1, 4.0)
    passage.handle_traffic(Traffic(11, 5, 120), 1, 5.0)
    assert passage.state is State.SHUT


def look(passage: Passage, endpoints: int, *, left: int = 0, returned: int = 0) -> None:
    for second in range(int(WINDOW_S) + 1):
        counted = Traffic(10 * second, left * second, returned * second)
        passage.handle_traffic(counted, endpoints, float(second))


@pytest.mark.parametrize(
    ("endpoints", "left", "returned", "state"),
    [
        (1, 0, 0, State.UNKNOWN),
        (2, 0, 0, State.SHUT),
        (2, 1, 0, State.UNKNOWN),
        (2, 0, 1, State.UNKNOWN),
        (2, 1, 1, State.OPEN),
    ],
)
def test_the_word_of_several_endpoints(
    endpoints: int, left: int, returned: int, state: State
) -> None:
    passage = Passage()
    look(passage, endpoints, left=left, returned=returned)
    assert passage.state is state


def test_their_word_alone_is_asked_for_again() -> None:
    passage = Passage()
    look(passage, 2)
    passage.tick(RETRY_S, echoed=False, probed=False, endpoints=0, sure=False)
    assert passage.state is State.SHUT
    now = WINDOW_S + RETRY_S
    passage.tick(now, echoed=False, probed=False, endpoints=0, sure=False)
    assert passage.state is State.UNKNOWN
    passage.tick(now + 1, echoed=False, probed=True, endpoints=0, sure=False)
    assert passage.state is State.OPEN


def test_a_table_that_was_made_anew_counts_from_nothing() -> None:
    passage = Passage()
    passage.handle_traffic(Traffic(100, 100, 100), 2, 0.0)
    passage.handle_traffic(Traffic(1, 1, 1), 2, 1.0)
    assert passage.state is State.UNKNOWN
