"""What a run of the echo amounts to."""

from __future__ import annotations

import argparse
import json

import pytest

from bench.failover import histogram, part, promises, report
from bench.failover.balancer import with_values
from bench.failover.rig import bind_addresses
from bench.failover.summary import Summary, Trial, percentile
from bench.failover.trace import Outage, Trace, outage
from testbed.failed import Failed

MS = 1_000_000
RTT = MS // 2


def trace(
    packets: int = 3000,
    *,
    up: range = range(0),
    down: range = range(0),
    unsent: range = range(0),
    late: dict[int, int] | None = None,
) -> Trace:
    """A packet a millisecond from 0 on, each back after half a millisecond.

    Those of `up` are lost on their way, those of `down` on their way back; `late` gives the
    times at which some come back instead.
    """
    served = [n for n in range(packets) if n not in up and n not in unsent]
    back = [(n, (late or {}).get(n, (n + 1) * MS + RTT)) for n in served if n not in down]
    sent = [0 if n in unsent else (n + 1) * MS for n in range(packets)]
    return Trace(sent, served, sorted(back, key=lambda item: item[1]))


def test_nothing_happens_and_nothing_is_found() -> None:
    found = outage(trace(), 1000 * MS, 150)
    assert found.gap_ms == 1.0
    assert (found.lost_up, found.lost_down, found.repeated, found.lost_before) == (0, 0, 0, 0)
    assert found.recovered


@pytest.mark.parametrize("onset", [150, None])
def test_a_gap_is_from_the_last_echo_to_the_next(onset: float | None) -> None:
    found = outage(trace(up=range(1000, 1045)), 1000 * MS, onset)
    assert found.gap_ms == 46.0
    assert (found.lost_up, found.lost_down) == (45, 0)
    assert found.before_ms == found.later_ms == 1.0


def test_losses_on_the_way_back_are_told_apart() -> None:
    found = outage(trace(up=range(1000, 1010), down=range(1010, 1045)), 1000 * MS, 150)
    assert found.gap_ms == 46.0
    assert (found.lost_up, found.lost_down) == (10, 35)


def test_what_could_not_be_sent_is_lost_upstream() -> None:
    found = outage(trace(unsent=range(1000, 1045)), 1000 * MS, 150)
    assert (found.lost_up, found.lost_down, found.lost_before) == (45, 0, 0)
    assert found.gap_ms == 46.0


def test_packets_sent_again_end_the_gap_and_are_not_lost() -> None:
    late = dict.fromkeys(range(1000, 1049), 1050 * MS)
    found = outage(trace(late=late), 1000 * MS, 150)
    assert found.gap_ms == 1050 - 1000.5
    assert (found.lost_up, found.lost_down) == (0, 0)


def test_an_echo_that_comes_twice_is_counted_once() -> None:
    once = trace()
    twice = Trace(once.sent, [*once.served, 1010], [*once.received, (1010, 2990 * MS)])
    found = outage(twice, 1000 * MS, 150)
    assert found.repeated == 1
    assert (found.gap_ms, found.lost_down) == (1.0, 0)


def test_a_longer_gap_of_another_cause_is_not_the_faults() -> None:
    holes = [*range(500, 700), *range(1000, 1045), *range(2000, 2300)]
    found = outage(trace(up=holes), 1000 * MS, 150)  # type: ignore[arg-type]
    assert found.gap_ms == 46.0
    assert (found.before_ms, found.later_ms) == (201.0, 301.0)
    assert (found.lost_before, found.lost_up) == (200, 345)
    assert outage(trace(up=holes), 1000 * MS, None).gap_ms == 301.0  # type: ignore[arg-type]


def test_a_gap_that_was_over_before_the_fault_does_not_count() -> None:
    found = outage(trace(up=range(900, 999)), 1000 * MS + RTT, 150)
    assert found.gap_ms == 1.0
    assert found.before_ms == 100.0


def test_a_gap_without_an_end_lasts_as_long_as_packets_were_sent() -> None:
    found = outage(trace(up=range(1000, 3000)), 1000 * MS, 150)
    assert not found.recovered
    assert found.gap_ms == 3000 - 1000.5
    assert found.lost_up == 2000


def test_nothing_at_all_arrives() -> None:
    found = outage(trace(up=range(3000)), 1000 * MS, 150)
    assert not found.recovered
    assert found.lost_up + found.lost_before == 3000


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([7.0], 50, 7.0),
        ([7.0], 99, 7.0),
        ([3, 1, 2], 50, 2),
        ([4, 3, 2, 1], 50, 2),
        (list(range(1, 31)), 50, 15),
        (list(range(1, 31)), 99, 30),
        (list(range(1, 101)), 99, 99),
    ],
)
def test_percentiles_are_values_that_were_measured(
    values: list[float], percent: float, expected: float
) -> None:
    assert percentile(values, percent) == expected


def seen(gap_ms: float = 30.0, up: int = 0, down: int = 0, *, recovered: bool = True) -> Outage:
    return Outage(gap_ms, recovered, up, down, 0, 2.0, 1.0, 0)


def trials(*gaps: float, up: int = 0, down: int = 0, **more: object) -> Summary:
    settings = {"back_s": 0.5, "tcp_broken": None, **more}
    return Summary([Trial("r", seen(gap, up, down), inject_ms=0.1, **settings) for gap in gaps])  # type: ignore[arg-type]


def test_the_closing_line_has_the_agreed_fields() -> None:
    summaries = {"kill": trials(30, 40, up=1, down=5, tcp_broken="reset"), "switch": trials(2)}
    text = report.closing_line(summaries, (10, 0))
    assert "\n" not in text
    found = json.loads(text)
    assert list(found) == ["kill", "switch", "false_failovers"]
    assert found["kill"] == {
        "trials": 2,
        "gap_ms_p50": 30,
        "gap_ms_p99": 40,
        "lost_up_mean": 1.0,
        "lost_down_mean": 5.0,
        "tcp_broken": 2,
    }
    assert found["false_failovers"] == {"minutes": 10, "count": 0}


def missed(name: str, own: Summary, slack: float = 1) -> list[str]:
    found = promises.of_all({name: own}, None, slack)
    return [target.text.partition(": ")[2] for target in found if target.met is False]


def test_each_promise_can_be_broken_alone() -> None:
    assert missed("kill", trials(30, 90)) == []
    assert missed("kill", trials(60, 60, 90)) == ["gap, p50, ms"]
    assert missed("kill", trials(30, 30, 101)) == ["gap, p99, ms"]
    assert missed("kill", trials(30, up=2)) == ["lost upstream, mean"]
    assert missed("kill", trials(30, down=30)) == []
    assert missed("kill", trials(30, down=40)) == ["lost downstream outside the gap, mean"]
    assert missed("kill", trials(30, back_s=1.2)) == ["two healthy tunnels after, s"]
    assert missed("blackhole", trials(30, back_s=1.2)) == []
    assert missed("egress_silent", trials(900)) == []
    assert missed("egress_silent", trials(1100)) == ["gap, p50, ms", "gap, p99, ms"]
    assert missed("switch", trials(300)) == []
    assert missed("switch", trials(1, up=1)) == ["packets lost"]
    assert missed("drain", trials(1, down=1)) == ["packets lost"]
    assert missed("drain", trials(1, tcp_broken="reset")) == ["TCP flows broken"]
    assert missed("upgrade", trials(1, back_s=1.2)) == ["two healthy tunnels after, s"]


def test_slack_widens_all_limits_but_nothing() -> None:
    assert missed("kill", trials(95, 190, up=2), slack=2) == []
    assert missed("switch", trials(1, up=1, tcp_broken="x"), slack=2) == [
        "packets lost",
        "TCP flows broken",
    ]


def test_a_false_failover_is_one_too_many() -> None:
    assert [target.met for target in promises.of_all({}, (10, 0), 2)] == [True]
    assert [target.met for target in promises.of_all({}, (10, 1), 2)] == [False]


def test_every_value_is_in_one_bar() -> None:
    assert histogram.counts([0, 4.9, 5, 49, 50, 5000], (5, 50)) == [2, 2, 2]
    lines = histogram.lines([1, 45, 46, 47, 2500])
    assert [line.split()[-1] for line in lines if not line.endswith(" 0")] == ["1", "3", "1"]
    assert lines[0].lstrip().startswith("< 5 |#")
    assert lines[-1].lstrip().startswith(">= 2000 |#")
    assert histogram.lines([]) == []


def test_bars_have_a_bound_and_none_is_invisible() -> None:
    lines = histogram.lines([1.0] * 1000 + [45.0])
    assert max(line.count("#") for line in lines) == 40
    assert lines[-1].count("#") == 1


def test_the_table_names_every_fault_and_its_target() -> None:
    text = list(report.lines({"kill": trials(30, 40), "switch": trials(2)}, None, 1))
    row = next(line for line in text if line.startswith("kill"))
    assert "30.0" in row
    assert row.endswith("50 / 100 ms")
    assert any(line.startswith("switch") and line.endswith("0 lost, 0 broken") for line in text)
    assert "kill: gaps in ms" in text


def test_a_fault_that_is_not_mended_is_named() -> None:
    text = list(report.lines({"egress": trials(2030, outlasted=True)}, None, 1))
    assert any(line.startswith("egress: in 1 of 1 trials traffic did not") for line in text)
    text = list(report.lines({"egress": trials(45)}, None, 1))
    assert not any("did not come" in line for line in text)


def test_local_addresses_are_found_by_router() -> None:
    text = """
routers:
  - router_id: "router_1"
    internal_ip: "198.51.100.1"
    bind_address: "2001:db8:1:10::2"
  - router_id: "router_2"
    external_ip: "2001:db8:2:2::2"
  - router_id: "router_3"
    bind_address: "192.0.2.14"
"""
    assert bind_addresses(text) == {"router_1": "2001:db8:1:10::2", "router_3": "192.0.2.14"}


def test_a_value_is_replaced_and_nothing_else() -> None:
    text = 'load_balancer:\n  url: ["http://x"]\n  poll_interval: 10.0\n'
    assert with_values(text, {"poll_interval": "0.5"}) == text.replace("10.0", "0.5")
    with pytest.raises(Failed, match="no hold"):
        with_values(text, {"hold": "1"})


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    part.add_arguments(parser)
    return parser.parse_args(words)


def test_thirty_trials_of_everything_unless_told() -> None:
    assert (options().trials, options().minutes) == (30, 10)
    assert options().faults == list(part.NAMES)
    assert len(part.NAMES) == 14
    assert options("--faults", "kill,drain").faults == ["kill", "drain"]
    with pytest.raises(SystemExit):
        options("--faults", "kill,earthquake")
