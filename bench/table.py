"""Plain aligned tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.sample import Sample, ratio

HEAD = (
    "engine",
    "Gb/s",
    "reverse",
    "4 flows",
    "CPU s/GB",
    "64 B loss %",
    "µs/64 B",
    "1300 B Gb/s",
    "loss %",
    "RTT ms",
    "Gb/s:floor",
    "CPU:floor",
    "Gb/s:wg-go",
    "CPU:wg-go",
)


def of_tunnels(figures: Mapping[str, Sample]) -> list[str]:
    """A line for each tunnel, under a head."""
    nothing = Sample()
    floor = figures.get("floor", nothing)
    wireguard = figures.get("wireguard-go", nothing)
    rows = [list(HEAD)]
    for name, own in figures.items():
        rows.append(
            [
                name,
                number(own.gbps, 2),
                number(own.gbps_reverse, 2),
                number(own.gbps_four, 2),
                number(own.cpu_s_per_gb, 2),
                number(own.small_loss_percent, 2),
                number(own.small_us, 2),
                number(own.large_gbps, 2),
                number(own.large_loss_percent, 2),
                number(own.rtt_ms, 2),
                number(ratio(own.gbps, floor.gbps), 2),
                number(ratio(own.cpu_s_per_gb, floor.cpu_s_per_gb), 2),
                number(ratio(own.gbps, wireguard.gbps), 2),
                number(ratio(own.cpu_s_per_gb, wireguard.cpu_s_per_gb), 2),
            ]
        )
    return aligned(rows)


def number(value: float | None, digits: int) -> str:
    """A dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns of equal width: the first flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
