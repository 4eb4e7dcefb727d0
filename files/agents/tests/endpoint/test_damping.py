from __future__ import annotations

import pytest

from nrs.endpoint.damping import FIRST_S, HALF_LIFE_S, MOST_S, Damping

T0 = 1000.0


def test_a_tunnel_that_never_failed_is_not_held_down() -> None:
    assert Damping().hold_s(T0) == 0.0


def test_the_hold_down_doubles_with_each_failure() -> None:
    damping = Damping()
    holds = []
    for _ in range(4):
        damping.failed(T0)
        holds.append(damping.hold_s(T0))
    assert holds == pytest.approx([FIRST_S, 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S])


def test_it_has_an_end() -> None:
    damping = Damping()
    for _ in range(100):
        damping.failed(T0)
    assert damping.hold_s(T0) == MOST_S
    assert damping.hold_s(T0 + 20 * HALF_LIFE_S) < FIRST_S


def test_failures_are_forgotten_with_time() -> None:
    damping = Damping()
    for _ in range(3):
        damping.failed(T0)
    later = T0 + HALF_LIFE_S
    assert damping.hold_s(later) == pytest.approx(FIRST_S * 2**0.5)
    damping.failed(later)
    assert damping.hold_s(later) == pytest.approx(FIRST_S * 2**1.5)
