"""Medians over rounds, ratios, and what the closing line says."""

from __future__ import annotations

import json

import pytest

from bench.sample import Sample, medians, ratio, report, rows, wider


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


def test_the_table_has_each_figure_in_its_column() -> None:
    full = Sample(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)
    head, row = rows({"x": full})
    assert dict(zip(head, row, strict=True)) == {
        "engine": "x",
        "Gb/s": "1.00",
        "reverse": "2.00",
        "4 flows": "3.00",
        "CPU s/GB": "4.00",
        "64 B loss %": "5.00",
        "µs/64 B": "6.00",
        "1300 B Gb/s": "7.00",
        "loss %": "8.00",
        "RTT ms": "9.00",
        "Gb/s:floor": "-",
        "CPU:floor": "-",
        "Gb/s:wg-go": "-",
        "CPU:wg-go": "-",
    }


def test_ratios_are_to_the_floor_and_to_wireguard_go() -> None:
    figures = {
        "nrs-c": Sample(gbps=5.0, cpu_s_per_gb=2.2),
        "floor": Sample(gbps=5.0, cpu_s_per_gb=2.0),
        "wireguard-go": Sample(gbps=0.5, cpu_s_per_gb=20.0),
    }
    _, first, *_ = rows(figures)
    assert first[-4:] == ["1.00", "1.10", "10.00", "0.11"]


def test_what_larger_packets_save_is_told_of_those_measured_with_both() -> None:
    figures = {
        "nrs-c": Sample(cpu_s_per_gb=0.8),
        "nrs-c 8900": Sample(cpu_s_per_gb=0.2),
        "nrs-python 8900": Sample(cpu_s_per_gb=0.5),
    }
    assert wider(figures) == [
        "nrs-c: CPU 0.80 s/GB with MTU 1400, 0.20 with 8900: 0.25 of it",
    ]
    assert wider({"nrs-c": Sample()}) == []
