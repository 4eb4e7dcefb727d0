"""When a rate is reached again after a damage."""

from __future__ import annotations

import argparse

import pytest

from bench import trains


def counted(*rates: float) -> list[tuple[float, int]]:
    """Samples of 0.1 s each with these bytes a second."""
    found, total = [(0.0, 0)], 0.0
    for number, rate in enumerate(rates, 1):
        total += rate / 10
        found.append((number / 10, round(total)))
    return found


@pytest.mark.parametrize(
    ("rates", "seconds"),
    [
        ([1000] * 5, 0.0),
        ([0, 0, 0, 1000, 1000, 1000], 0.3),
        ([0, 0, 1000, 0, 0, 0, 950, 950, 950], 0.6),
        ([850] * 9, None),
        ([0] * 5, None),
        ([0, 0, 1000], None),
    ],
)
def test_it_is_back_when_the_rate_is_held(rates: list[float], seconds: float | None) -> None:
    assert trains.recovery(counted(*rates), 900) == seconds


def test_an_hour_is_watched_unless_told() -> None:
    parser = argparse.ArgumentParser()
    trains.add_arguments(parser)
    assert parser.parse_args([]).seconds == 3600
    with pytest.raises(SystemExit):
        parser.parse_args(["--trials", "0"])
