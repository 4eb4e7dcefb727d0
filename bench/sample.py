"""What is measured of one tunnel, and the medians over rounds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields

from bench.table import number


@dataclass(frozen=True)
class Sample:
    """One round of one tunnel, or the medians of several; None where there is no figure."""

    gbps: float | None = None
    """One TCP flow from host a to host b."""
    gbps_reverse: float | None = None
    gbps_four: float | None = None
    """Four TCP flows together."""
    cpu_s_per_gb: float | None = None
    """Processor seconds of both ends for 10^9 bytes of the one forward flow."""
    small_loss_percent: float | None = None
    """Of 64-byte UDP packets."""
    small_us: float | None = None
    """Processor time of both ends for a delivered 64-byte packet."""
    large_gbps: float | None = None
    """Of 1300-byte UDP packets."""
    large_loss_percent: float | None = None
    rtt_ms: float | None = None
    """Of a ping beside one TCP flow."""


def medians(rounds: Sequence[Sample]) -> Sample:
    """Each figure's median over the rounds that have it."""
    return Sample(
        **{
            field.name: _median(getattr(sample, field.name) for sample in rounds)
            for field in fields(Sample)
        }
    )


def _median(values: Iterable[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return statistics.median(present) if present else None


def ratio(value: float | None, reference: float | None) -> float | None:
    """None where one of them is missing or the reference is nothing."""
    return None if value is None or not reference else value / reference


_HEAD = (
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


def rows(figures: Mapping[str, Sample]) -> list[Sequence[str]]:
    """A table with a line for each tunnel."""
    floor = figures.get("floor", Sample())
    wireguard = figures.get("wireguard-go", Sample())
    found: list[Sequence[str]] = [_HEAD]
    for name, own in figures.items():
        # The fields are in the table's order.
        values: list[float | None] = list(asdict(own).values())
        for other in (floor, wireguard):
            values.append(ratio(own.gbps, other.gbps))
            values.append(ratio(own.cpu_s_per_gb, other.cpu_s_per_gb))
        found.append([name, *(number(value, 2) for value in values)])
    return found


def wider(figures: Mapping[str, Sample]) -> list[str]:
    """What larger packets save, of each tunnel that was measured as `NAME` and `NAME MTU`."""
    found = []
    for name, own in figures.items():
        plain, _, mtu = name.partition(" ")
        share = ratio(own.cpu_s_per_gb, figures.get(plain, Sample()).cpu_s_per_gb)
        if mtu and share is not None:
            before = number(figures[plain].cpu_s_per_gb, 2)
            figure = f"{before} s/GB with MTU 1400, {number(own.cpu_s_per_gb, 2)} with {mtu}"
            found.append(f"{plain}: CPU {figure}: {share:.2f} of it")
    return found


_REPORTED = ("gbps", "gbps_reverse", "cpu_s_per_gb", "small_loss_percent", "small_us", "rtt_ms")


def report(sample: Sample) -> dict[str, float | None]:
    """What the closing JSON line says of a tunnel."""
    values: dict[str, float | None] = asdict(sample)
    return {name: _rounded(values[name]) for name in _REPORTED}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
