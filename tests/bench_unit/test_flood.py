"""What is asked of `bin/bench flood`, and what it tells."""

from __future__ import annotations

import argparse
import json

import pytest

from bench.flood import figures, part
from bench.flood.figures import Comparison, Figures, Reading, Readings
from bench.flood.kinds import HANDSHAKES, KINDS, MOST, OWN_RATE, Flood, floods
from bench.flood.suspicions import Suspicions

INDEX, OWN = Flood("index", 200_000), Flood("own", OWN_RATE)


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    part.add_arguments(parser)
    return parser.parse_args(words)


def reading(gbps: float, ping_ms: float, suspicions: int = 0, sent: float = 200_000) -> Reading:
    return Reading(gbps, 100, [ping_ms] * 100, suspicions, sent_a_second=sent)


def compared(gbps: float, ping_ms: float, suspicions: int = 0) -> Comparison:
    """With a baseline of 2 Gb/s and 10 ms."""
    return Comparison(Readings([reading(2, 10)]), Readings([reading(gbps, ping_ms, suspicions)]))


def missed(found: Figures) -> list[str]:
    return [target.text for target in figures.targets(found, 10) if target.met is False]


def test_every_kind_comes_at_both_rates_unless_told() -> None:
    asked = options()
    assert asked.kinds == [*KINDS, "handshake"]
    wanted = [(flood.name, flood.rate) for flood in floods(asked.kinds, asked.rate)]
    strangers = [name for name in KINDS if name != "own"]
    both = [(name, rate) for name in strangers for rate in (200_000, MOST)]
    assert wanted == [*both, ("own", 50_000)]


def test_a_run_takes_less_than_ten_minutes_unless_told() -> None:
    asked = options()
    # The flow, the flood before it is measured, the pings that are still out, and what is started.
    around = 5.0
    once = 2 * len(floods(asked.kinds, asked.rate)) * (asked.seconds + around)
    assert asked.rounds * once + len(HANDSHAKES) * asked.trials * 12 < 600


def test_kinds_and_rates_are_as_they_are_asked_for() -> None:
    asked = options("--kinds", "tag,own", "--rate", "1000,most")
    wanted = floods(asked.kinds, asked.rate)
    assert list(map(str, wanted)) == ["tag 1000", "tag most", f"own {OWN_RATE}"]
    assert floods(["handshake"], [1000]) == []


@pytest.mark.parametrize(
    "words",
    [("--kinds", "syn"), ("--rate", "0"), ("--rate", "fast"), ("--rate", ""), ("--codec", "rust")],
)
def test_what_there_is_not_cannot_be_asked_for(words: tuple[str, str]) -> None:
    with pytest.raises(SystemExit):
        options(*words)


def test_a_ping_without_an_answer_counts_as_the_time_that_it_was_waited_for() -> None:
    assert figures.p99_ms([1.0] * 99, 100) == 1.0
    assert figures.p99_ms([1.0] * 98, 100) == 1000
    assert figures.p99_ms([], 100) == 1000
    assert figures.p99_ms([1.0] * 50 + [5000.0] * 50, 100) == 1000
    assert figures.p99_ms(list(map(float, range(1, 201))), 200) == 198


def test_pings_of_all_rounds_are_taken_together() -> None:
    both = Readings([reading(1, 1), reading(3, 50)])
    assert (both.gbps, both.ping_p99_ms) == (2, 50)


def test_good_figures_keep_every_promise() -> None:
    found = Figures({INDEX: compared(1.8, 30), OWN: compared(0.1, 900)}, {"from many": [0.2, 1.0]})
    found.rss_before_mb, found.rss_most_mb = 100, 102
    assert missed(found) == []
    assert len(figures.targets(found, 10)) == 6


def test_each_promise_can_be_missed_alone() -> None:
    assert missed(Figures({INDEX: compared(1.79, 30)})) == [f"{INDEX}: Gb/s / dropped"]
    assert missed(Figures({INDEX: compared(1.8, 30.1)})) == [f"{INDEX}: ping p99 / dropped"]
    assert missed(Figures({OWN: compared(0.1, 900, 1)})) == [f"{OWN}: false suspicions"]
    grown = Figures({OWN: compared(1, 10)}, rss_before_mb=100, rss_most_mb=102.1)
    assert missed(grown) == ["memory's growth, MB"]
    for seconds in ([0.2, 1.1], [0.2, None]):
        late = Figures(handshakes={"from many": seconds, "dropped": [9.0]})
        assert missed(late) == ["handshake, junk from many, s, the slowest of 2"]


def test_the_slowest_is_not_known_where_one_has_no_end() -> None:
    assert figures.slowest([0.5, 0.7]) == 0.7
    assert figures.slowest([0.5, None]) is None


def test_a_flood_that_was_none_is_told_of() -> None:
    slow = Comparison(Readings([reading(2, 10)]), Readings([reading(2, 10, sent=100_000)]))
    found = Figures({INDEX: slow, Flood("tag", MOST): slow})
    assert figures.too_slow(found) == [f"{INDEX}: only 100000 a second could be sent"]


def test_a_line_for_each_flood_is_as_wide_as_the_head() -> None:
    head, *lines = figures.rows(Figures({INDEX: compared(1, 30), OWN: compared(2, 10)}))
    assert [line[0] for line in lines] == ["index 200000", "own 50000"]
    assert {len(line) for line in lines} == {len(head)}
    assert figures.rows(Figures(handshakes={"from many": [0.1]})) == []


def test_the_last_line_has_the_baseline_and_every_kind() -> None:
    found = Figures(
        {INDEX: compared(1.5, 20, 2), OWN: compared(1, 40, 1)}, {"from many": [0.25, None]}
    )
    found.rss_before_mb, found.rss_most_mb = 100, 101.5
    assert json.loads(json.dumps(figures.summary(found))) == {
        "gbps": 2,
        "gbps_flooded": {"index 200000": 1.5, "own 50000": 1},
        "ping_p99_ms": 10,
        "ping_p99_ms_flooded": {"index 200000": 20, "own 50000": 40},
        "false_suspicions": 3,
        "rss_growth_mb": 1.5,
        "handshake_s": {"from many": None},
    }
    assert figures.summary(Figures())["gbps"] is None


@pytest.mark.parametrize(
    ("said", "count"),
    [
        ([("up", 1.0), ("up", 1.0)], 0),
        ([("up", 1.0), ("up", 2.0)], 1),
        ([("up", 1.0), ("suspect", 2.0), ("down", 3.0), ("up", 4.0), ("up", 4.0)], 1),
        ([("up", 1.0), ("suspect", 2.0), ("suspect", 2.0), ("suspect", 3.0)], 2),
        ([("connecting", 1.0), ("up", 2.0)], 0),
    ],
)
def test_a_tunnel_is_suspected_where_it_leaves_its_state(
    said: list[tuple[str, float]], count: int
) -> None:
    suspicions = Suspicions()
    for state, since in said:
        suspicions.saw({"state": state, "since": since})
        suspicions.saw(None)
    assert suspicions.count == count
