from __future__ import annotations

from dataclasses import replace

import pytest

from nrs.api.messages import MetricsReport
from nrs.balancer.decide.algorithm import Algorithm
from nrs.balancer.keep.recording import Asked, Recorded
from nrs.simulation.advisers import Balanced, Plain
from nrs.simulation.replay import Course, compare, corrected, report_interval
from nrs.simulation.run import Simulation
from nrs.simulation.scenario import Scenario
from tests.balancer.reports import WALL, report

SCENARIO = Scenario(endpoints=30, duration=900.0, warm_up=0.0)
NEVER = Algorithm(anti_flap_threshold=1.0)


def recorded(*, plain: bool) -> list[Recorded]:
    lines: list[Recorded] = []
    adviser = Plain(Algorithm(), 10.0, 10.0) if plain else Balanced(Algorithm(), 10.0, 1)
    Simulation(SCENARIO, adviser, 1, lines.append).run()
    return lines


def reports_of(lines: list[Recorded]) -> list[Recorded]:
    return [line for line in lines if isinstance(line, MetricsReport)]


def test_the_same_algorithm_decides_about_the_same() -> None:
    comparison = compare(recorded(plain=False), Algorithm(), Algorithm())
    assert comparison.recorded
    before, after = comparison.before, comparison.after
    assert before.switches > 5
    assert after.switches == pytest.approx(before.switches, rel=0.3)
    for router, seconds in before.seconds.items():
        assert after.seconds[router] == pytest.approx(seconds, rel=0.15)


def test_a_higher_threshold_would_have_moved_nobody() -> None:
    comparison = compare(recorded(plain=False), Algorithm(), NEVER)
    assert comparison.after.switches == 0
    assert comparison.summary == f"0 switches instead of {comparison.before.switches}"


def test_what_another_load_balancer_did_can_be_compared_with() -> None:
    comparison = compare(recorded(plain=True), Algorithm(), Algorithm())
    assert comparison.after.switches < comparison.before.switches / 5


def test_metrics_alone_are_asked_about_by_as_many_endpoints_as_there_were_tunnels() -> None:
    comparison = compare(reports_of(recorded(plain=True)), Algorithm(), NEVER)
    assert not comparison.recorded
    assert len(comparison.before.at) == len(comparison.after.at) == 30
    assert comparison.after.switches == 0 < comparison.before.switches
    few = compare(reports_of(recorded(plain=True)), Algorithm(), NEVER, endpoints=7)
    assert len(few.before.at) == 7


def test_one_switch_is_one_switch() -> None:
    lines: list[Recorded] = [report("router_1", timestamp=WALL), report("router_2", timestamp=WALL)]
    lines += [
        Asked(endpoint_id="e", timestamp=WALL + at, router_id=router)
        for at, router in ((1, "router_1"), (2, "router_2"), (3, "router_1"))
    ]
    comparison = compare(lines, Algorithm(), Algorithm())
    assert comparison.summary == "0 switches instead of 2"
    assert comparison.before.seconds == pytest.approx({"router_1": 1.0, "router_2": 1.0})
    assert replace(comparison, after=comparison.before).summary == "2 switches instead of 2"


def test_a_report_is_corrected_by_who_would_have_been_there() -> None:
    what = report("router_1", bandwidth_mbps=100.0, cpu_percent=20.0)
    more = corrected(what, {"router_1": 60.0}, {"router_1": 10.0})
    assert (more.bandwidth_mbps, more.cpu_percent) == (150.0, 30.0)
    none = corrected(what, {}, {"router_1": 500.0})
    assert (none.bandwidth_mbps, none.cpu_percent) == (0.0, 0.0)
    assert corrected(what, {}, {}) == what


def test_time_is_counted_where_it_was_spent() -> None:
    course = Course()
    course.place("a", "router_1", 5.0, 0.0)
    course.place("a", "router_2", 5.0, 10.0)
    course.note_report()
    course.place("b", "router_1", 2.0, 15.0)
    course.end(20.0)
    assert course.seconds == {"router_1": 15.0, "router_2": 10.0}
    assert course.carried == [{"router_1": 0.0, "router_2": 5.0}]
    assert (course.switches, course.moves["a"], course.at["a"]) == (1, 1, "router_2")


def test_the_usual_interval_is_found() -> None:
    moments = (0, 5, 10, 15, 60)
    assert report_interval([report("router_1", timestamp=WALL + at) for at in moments]) == 5.0
    assert report_interval([report("router_1")]) == 10.0
