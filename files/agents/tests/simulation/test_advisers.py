from __future__ import annotations

import pytest

from nrs.balancer.decide.algorithm import Algorithm
from nrs.simulation.advisers import Adviser, Balanced, Plain
from tests.balancer.reports import WALL, report

BOTH = ("router_1", "router_2")


def tell(adviser: Adviser, now: float, **loads: float) -> None:
    for router_id, load in loads.items():
        adviser.report(report(router_id, load, timestamp=WALL + now), now, WALL + now)


def told(
    adviser: Adviser, now: float, endpoint: str = "e", current: str = "router_1"
) -> str | None:
    return adviser.advise(endpoint, BOTH, current, None, now).router_id


@pytest.fixture
def plain() -> Plain:
    found = Plain(Algorithm(), 10.0, 15.0)
    tell(found, 0.0, router_1=0.2, router_2=0.5)
    return found


def test_the_plain_rule_goes_by_threshold_and_hold(plain: Plain) -> None:
    assert told(plain, 0.0) == "router_1"
    tell(plain, 10.0, router_1=0.9, router_2=0.1)
    assert told(plain, 20.0) == "router_1"
    tell(plain, 30.0, router_1=0.9, router_2=0.1)
    assert told(plain, 30.0) == "router_2"
    tell(plain, 60.0, router_1=0.06, router_2=0.1)
    assert told(plain, 60.0) == "router_2"


def test_the_plain_rule_herds(plain: Plain) -> None:
    assert {told(plain, 0.0, f"e{n}") for n in range(50)} == {"router_1"}


def test_the_plain_rule_leaves_who_is_silent_or_drains(plain: Plain) -> None:
    assert told(plain, 0.0) == "router_1"
    tell(plain, 20.0, router_2=0.9)
    assert told(plain, 30.0) == "router_2"
    assert told(plain, 60.0) is None
    tell(plain, 60.0, router_1=0.9)
    plain.report(report("router_2", 0.1, draining=True), 60.0, WALL)
    assert told(plain, 61.0) == "router_1"


def test_the_plain_rule_is_asked_at_fixed_times(plain: Plain) -> None:
    assert plain.advise("e", BOTH, "router_1", None, 0.0).poll_after == 15.0


def test_the_balancer_is_the_balancer() -> None:
    balanced = Balanced(Algorithm(), 10.0, seed=1)
    assert balanced.advise("e", BOTH, "router_1", 5.0, 0.0) == (None, 10.0)
    tell(balanced, 0.0, router_1=0.9, router_2=0.1)
    advice = balanced.advise("e", BOTH, "router_1", 5.0, 1.0)
    assert advice.router_id == "router_2"
    assert 8.0 <= advice.poll_after <= 12.0
    assert balanced.balancer.explain("e")[0].router_id == "router_2"
