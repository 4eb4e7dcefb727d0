"""The table that a person reads."""

from __future__ import annotations

from bench import table
from bench.sample import Sample


def test_columns_are_aligned() -> None:
    assert table.aligned([["engine", "Gb/s"], ["x", "10.00"]]) == ["engine   Gb/s", "x       10.00"]


def test_ratios_are_to_the_floor_and_to_wireguard_go() -> None:
    figures = {
        "nrs-c": Sample(gbps=5.0, cpu_s_per_gb=2.2),
        "floor": Sample(gbps=5.0, cpu_s_per_gb=2.0),
        "wireguard-go": Sample(gbps=0.5, cpu_s_per_gb=20.0),
    }
    head, first, *_ = table.of_tunnels(figures)
    assert head.split()[-4:] == ["Gb/s:floor", "CPU:floor", "Gb/s:wg-go", "CPU:wg-go"]
    assert first.split()[-4:] == ["1.00", "1.10", "10.00", "0.11"]


def test_what_there_is_none_of_is_a_dash() -> None:
    _, row = table.of_tunnels({"veth": Sample(gbps=22.0)})
    assert row.split() == ["veth", "22.00", *"-" * 12]
