from __future__ import annotations

import random

import pytest

from nrs.system.source_ports import PortRange, kept, others, widest

CLASSES = ((1, 511), (512, 1023), (1024, 65535))
ALL = set(range(65536))


def ports(ranges: list[PortRange]) -> list[int]:
    return [port for first, last in ranges for port in range(first, last + 1)]


def check(taken: list[int]) -> None:
    ranges = kept(taken)
    rest = others(ranges)
    assert sorted([*ports(ranges), *ports(rest)]) == sorted(ALL), "each port once"
    assert not set(ports(ranges)) & set(taken)
    assert widest(ranges) in ranges
    for first, last in ranges:
        assert last - first >= 63
        assert any(low <= first and last <= high for low, high in CLASSES)
    # What is moved is a tunnel's, port 0, or in a hole that is too small between them.
    edges = {0, 65536, 512, 1024, *taken}
    for port in set(ports(rest)) - {0, *taken}:
        below = max(e - 1 if e in (512, 1024) and e not in taken else e for e in edges if e <= port)
        above = min(edge for edge in edges if edge > port)
        assert above - below - 1 < 64


@pytest.mark.parametrize(
    "taken",
    [[51820], [1], [511], [512], [1023], [1024], [65535], [443, 51820], [443, 441], [51820, 51884]],
)
def test_every_port_is_kept_or_moved_and_none_of_a_tunnel_given(taken: list[int]) -> None:
    check(taken)


@pytest.mark.parametrize("seed", range(20))
def test_also_of_eight_ports_at_random(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 (nothing secret)
    low = chance.choice((1, 400, 900, 51800))
    check(chance.sample(range(low, chance.choice((low + 200, 65536))), 8))


def test_ranges_are_split_at_the_tunnels_ports_and_by_the_kernels_classes() -> None:
    ranges = kept([51820, 443])
    assert ranges == [(1, 442), (444, 511), (512, 1023), (1024, 51819), (51821, 65535)]
    assert others(ranges) == [(0, 0), (443, 443), (51820, 51820)]
    assert widest(ranges) == (1024, 51819)


def test_a_hole_of_few_ports_is_left_out() -> None:
    """One of a single port would be given to two connections at once."""
    assert kept([2000, 2002])[2:] == [(1024, 1999), (2003, 65535)]
    assert kept([2000, 2064])[2:] == [(1024, 1999), (2065, 65535)]
    assert kept([2000, 2065])[2:] == [(1024, 1999), (2001, 2064), (2066, 65535)]
