"""Which promises are kept."""

from __future__ import annotations

from dataclasses import replace

from bench import targets
from bench.sample import Sample
from bench.targets import Target

GOOD = {
    "nrs-c": Sample(gbps=5.0, cpu_s_per_gb=2.3, small_loss_percent=0.0, small_us=4.9),
    "nrs-python": Sample(gbps=3.5, cpu_s_per_gb=3.5, small_loss_percent=1.0, small_us=6.5),
    "floor": Sample(gbps=5.3, cpu_s_per_gb=2.1, small_us=6.6),
    "floor-libcrypto": Sample(gbps=5.0, cpu_s_per_gb=2.5),
    "wireguard-go": Sample(gbps=0.58, cpu_s_per_gb=20.6),
}


def missed(figures: dict[str, Sample]) -> list[str]:
    return [target.text for target in targets.of_tunnel(figures) if target.met is False]


def test_a_good_run_keeps_all() -> None:
    found = targets.of_tunnel(GOOD)
    assert len(found) == 10
    assert all(target.met for target in found)


def test_each_limit_can_be_missed_alone() -> None:
    c, python = GOOD["nrs-c"], GOOD["nrs-python"]
    assert missed({**GOOD, "floor": replace(GOOD["floor"], cpu_s_per_gb=1.9)}) == [
        "nrs-c: CPU per GB / floor"
    ]
    assert missed({**GOOD, "nrs-c": replace(c, cpu_s_per_gb=2.4)}) == [
        "nrs-c: CPU per GB / floor-libcrypto"
    ]
    assert missed({**GOOD, "floor": replace(GOOD["floor"], small_us=6.5)}) == [
        "nrs-c: CPU per 64 B packet / floor"
    ]
    assert missed({**GOOD, "nrs-c": replace(c, small_loss_percent=0.1)}) == ["nrs-c: 64 B loss, %"]
    assert missed({**GOOD, "nrs-c": replace(c, gbps=4.7)}) == ["nrs-c: Gb/s / floor"]
    assert missed({**GOOD, "wireguard-go": Sample(gbps=0.84)}) == ["nrs-c: Gb/s / wireguard-go"]
    floor = replace(GOOD["floor"], small_us=7.0)
    assert missed({**GOOD, "floor": floor, "nrs-c": replace(c, small_us=5.1)}) == [
        "nrs-c: CPU per 64 B packet, µs"
    ]
    assert missed({**GOOD, "nrs-python": replace(python, gbps=1.3)}) == [
        "nrs-python: Gb/s / floor-libcrypto"
    ]
    assert missed({**GOOD, "nrs-python": replace(python, small_loss_percent=1.1)}) == [
        "nrs-python: 64 B loss, %"
    ]


def test_without_a_peer_nothing_is_guessed() -> None:
    unknown = [t.text for t in targets.of_tunnel({"nrs-c": GOOD["nrs-c"]}) if t.met is None]
    assert unknown == [
        "nrs-c: CPU per GB / floor",
        "nrs-c: CPU per GB / floor-libcrypto",
        "nrs-c: Gb/s / floor",
        "nrs-c: Gb/s / wireguard-go",
        "nrs-c: CPU per 64 B packet / floor",
    ]
    assert targets.of_tunnel({"floor": GOOD["floor"]}) == []


def test_a_target_says_how_far_it_is() -> None:
    text = str(Target("idle", 0.7, 0.5, at_most=True))
    assert text.startswith("MISSED")
    assert text.endswith("idle: 0.70 (at most 0.5)")
    assert str(Target("idle", None, 0.5, at_most=True)).startswith("not measured")


def test_idle_agents_are_held_against_half_a_percent() -> None:
    found = targets.of_idle({"router": 0.5, "endpoint": 0.51})
    assert [target.met for target in found] == [True, False]


def test_the_time_for_handshakes_goes_with_their_number() -> None:
    assert [t.met for t in targets.of_sessions(0.9, 150, 15, 10_000)] == [True, True, True]
    assert [t.met for t in targets.of_sessions(0.89, 151, 1.6, 1000)] == [False, False, False]
