"""Medians over rounds, ratios, and what the closing line says."""

from __future__ import annotations

import json

import pytest

from bench.sample import Sample, medians, ratio, report


def test_each_figure_has_its_own_median() -> None:
    rounds = [Sample(gbps=1.0, rtt_ms=9.0), Sample(gbps=5.0, rtt_ms=1.0), Sample(gbps=2.0)]
    assert medians(rounds) == Sample(gbps=2.0, rtt_ms=5.0)


def test_a_figure_that_no_round_has_is_none_and_so_is_all_of_no_rounds() -> None:
    assert medians([Sample(gbps=1.0)]).small_us is None
    assert medians([]) == Sample()


@pytest.mark.parametrize(
    ("value", "reference", "expected"),
    [(3.0, 2.0, 1.5), (None, 2.0, None), (3.0, None, None), (3.0, 0.0, None), (0.0, 2.0, 0.0)],
)
def test_a_ratio_needs_both(
    value: float | None, reference: float | None, expected: float | None
) -> None:
    assert ratio(value, reference) == expected


def test_the_closing_line_has_these_keys_whatever_was_measured() -> None:
    keys = ["gbps", "gbps_reverse", "cpu_s_per_gb", "small_loss_percent", "small_us", "rtt_ms"]
    assert list(report(Sample())) == keys
    full = Sample(1.23456, 2.0, 3.0, 4.0, 0.0, 6.0, 7.0, 8.0, 9.0)
    assert json.loads(json.dumps(report(full))) == dict(
        zip(keys, [1.235, 2.0, 4.0, 0.0, 6.0, 9.0], strict=True)
    )
