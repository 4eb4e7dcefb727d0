from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from nrs.api.messages import MetricsReport
from nrs.balancer.keep.recording import Asked, Recorded
from nrs.simulation.advisers import Advice, Balanced, Plain
from nrs.simulation.measures import Figures
from nrs.simulation.run import Result, Simulation
from nrs.simulation.scenario import Burst, Event, Happening, Scenario

CALM = Scenario(endpoints=30, wander=0.0, duration=600.0, warm_up=300.0)


class Silent:
    """Gives no advice."""

    def report(self, report: MetricsReport, now: float, wall: float) -> None:
        pass

    def advise(
        self,
        endpoint_id: str,
        candidates: Sequence[str],
        current: str,
        mbps: float | None,
        now: float,
    ) -> Advice:
        return Advice(None, 10.0)


class Stubborn(Silent):
    """Sends everybody to router_1, whatever is known of it."""

    def advise(
        self,
        endpoint_id: str,
        candidates: Sequence[str],
        current: str,
        mbps: float | None,
        now: float,
    ) -> Advice:
        return Advice("router_1", 10.0)


def balanced(scenario: Scenario, seed: int = 1) -> Result:
    adviser = Balanced(scenario.algorithm, scenario.report_interval, seed)
    return Simulation(scenario, adviser, seed).run()


def plain(scenario: Scenario, seed: int = 1) -> Figures:
    adviser = Plain(scenario.algorithm, scenario.report_interval, scenario.poll_interval)
    return Simulation(scenario, adviser, seed).run().figures


def test_the_same_seed_gives_the_same_course() -> None:
    first, again, other = balanced(CALM), balanced(CALM), balanced(CALM, seed=2)
    assert first.samples == again.samples
    assert first.samples != other.samples


def test_all_demand_is_somewhere() -> None:
    for sample in balanced(CALM).samples:
        assert sample.mean == pytest.approx(0.5)
        assert sum(sample.each) == pytest.approx(1.5)


@pytest.mark.parametrize("sync", [False, True])
def test_the_balancer_does_not_herd_and_the_plain_rule_does(sync: bool) -> None:
    scenario = replace(CALM, sync=sync)
    figures = balanced(scenario).figures
    assert figures.max_over_mean < 1.15
    assert figures.switches_per_endpoint_hour < 3
    herd = plain(scenario)
    assert herd.max_over_mean > 1.4
    assert herd.switches_per_endpoint_hour > 50


def test_endpoints_leave_a_dead_router_by_themselves() -> None:
    scenario = replace(CALM, events=(Event(Happening.DEATH, 1, 400.0),))
    result = Simulation(scenario, Silent(), 1).run()
    for sample in result.samples:
        assert (sample.each[0] > 0) is (sample.at < 400.0)
        assert sample.mean == pytest.approx(0.5 if sample.at < 400.0 else 0.75)
    assert result.figures.most_moves == 1


def test_advice_to_use_a_router_that_is_down_or_held_down_is_not_followed() -> None:
    events = (Event(Happening.DEATH, 1, 400.0), Event(Happening.RETURN, 1, 420.0))
    scenario = replace(CALM, events=events, flow_seconds=0.0)
    result = Simulation(scenario, Stubborn(), 1).run()
    at = {round(sample.at): sample.each[0] for sample in result.samples}
    assert at[399] == pytest.approx(1.5)
    assert max(at[second] for second in range(400, 427)) == pytest.approx(0.0, abs=1e-6)
    assert at[445] == pytest.approx(1.5)


def test_nobody_follows_advice_to_a_router_that_drains() -> None:
    scenario = replace(CALM, events=(Event(Happening.DRAIN, 1, 400.0),))
    result = Simulation(scenario, Stubborn(), 1).run()
    assert result.samples[-1].each[0] == pytest.approx(0.0, abs=1e-6)


def test_a_router_that_returns_is_used_again() -> None:
    events = (Event(Happening.DEATH, 1, 60.0), Event(Happening.RETURN, 1, 400.0))
    result = balanced(replace(CALM, events=events, duration=1000.0))
    assert result.samples[0].each[0] == 0.0
    assert result.samples[-1].each[0] > 0.35
    assert result.figures.settle_s is not None


def test_a_drained_router_is_left_as_its_flows_end() -> None:
    events = (Event(Happening.DRAIN, 2, 400.0), Event(Happening.UNDRAIN, 2, 800.0))
    result = balanced(replace(CALM, events=events, duration=1200.0))
    at = {round(sample.at): sample.each[1] for sample in result.samples}
    assert at[399] > at[410] > at[440]
    assert at[500] < 0.001
    assert at[1200] > 0.3


def test_a_doubled_router_takes_more() -> None:
    events = (Event(Happening.DOUBLE, 3, 400.0),)
    result = balanced(replace(CALM, events=events, duration=1200.0))
    assert result.samples[-1].mean == pytest.approx(0.375)
    assert result.samples[-1].each[2] == pytest.approx(0.375, abs=0.08)


def test_a_burst_comes_and_goes() -> None:
    result = balanced(replace(CALM, bursts=(Burst(400.0, 60.0, 0.5, 3.0),)))
    at = {round(sample.at): sample.mean for sample in result.samples}
    assert at[399] == pytest.approx(0.5)
    assert at[401] > 0.8
    assert at[461] == pytest.approx(0.5)


def test_the_day_has_a_tide() -> None:
    result = balanced(replace(CALM, diurnal=0.5, day=1200.0))
    means = [sample.mean for sample in result.samples]
    assert max(means) == pytest.approx(0.75, abs=0.01)
    assert min(means) == pytest.approx(0.5, abs=0.01)


def test_what_happens_can_be_recorded() -> None:
    lines: list[Recorded] = []
    scenario = replace(CALM, duration=320.0)
    adviser = Balanced(scenario.algorithm, scenario.report_interval, 1)
    Simulation(scenario, adviser, 1, lines.append).run()
    reports = [line for line in lines if isinstance(line, MetricsReport)]
    asked = [line for line in lines if isinstance(line, Asked)]
    assert 93 <= len(reports) <= 99
    assert len(asked) == pytest.approx(30 * 32, rel=0.1)
    assert all(line.router_id in (line.candidates or ()) for line in asked)


def test_many_routers_are_told_of_by_their_extremes() -> None:
    scenario = replace(CALM, endpoints=100, capacities=(100.0,) * 20, duration=310.0)
    sample = balanced(scenario).samples[-1]
    assert sample.each == ()
    assert sample.least < sample.mean < sample.most


def test_how_long_it_takes_is_told_by_the_stopwatch() -> None:
    shown = iter((5.0, 7.5))
    result = Simulation(CALM, Silent(), 1, stopwatch=lambda: next(shown)).run()
    assert result.figures.wall_s == 2.5
