"""The load balancer's benchmark: what is asked, and what is made of the answers."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from bench.balancer import figures, questions
from bench.balancer.credentials import Credentials
from bench.balancer.figures import Figures
from bench.balancer.load import Answers, believable, median, parsed
from bench.balancer.part import write_requests

GOOD = Answers(1000.0, 5.0, 10.0, 0, 0.1, 300.0)
FIGURES = Figures(
    hello=replace(GOOD, per_second=1400.0), decision=GOOD, metrics=GOOD, at_half=GOOD, rss_mb=200.0
)


def unpacked(packed: bytes) -> list[bytes]:
    found = []
    while packed:
        (length,) = struct.unpack_from("=I", packed)
        found.append(packed[4 : 4 + length])
        packed = packed[4 + length :]
    return found


def test_each_endpoint_asks_once_with_its_own_candidates() -> None:
    asked = unpacked(questions.packed(questions.decisions(["t"] * 1000, 50)))
    assert len({request.split()[1] for request in asked}) == 1000
    path = asked[7].split()[1].decode()
    assert path.startswith("/decision/endpoint_7?candidates=router_8%2C")
    assert path.endswith("&current=router_8")
    assert all(len(questions.candidates(n, 50)) > 1 for n in range(1000))


def test_routers_are_spread_over_the_endpoints() -> None:
    chosen = [name for n in range(1000) for name in questions.candidates(n, 50)]
    assert {chosen.count(f"router_{n}") for n in range(50)} <= set(range(60, 101))


def test_no_two_reports_of_a_router_in_a_row_have_the_same_packets() -> None:
    bodies = [
        json.loads(request.partition(b"\r\n\r\n")[2])
        for request in unpacked(questions.packed(questions.reports(["t"] * 3, 5.0, 100)))
    ]
    assert [body["server_id"] for body in bodies] == 2 * ["router_0", "router_1", "router_2"]
    assert len({body["total_rx_packets"] for body in bodies}) == 6


def test_no_round_repeats_packets_of_another(tmp_path: Path) -> None:
    files = write_requests(tmp_path, Credentials(tmp_path, ["t"], ["t", "t"], []), 2)
    bodies = [
        json.loads(request.partition(b"\r\n\r\n")[2])
        for path in (*files.reports, files.meanwhile)
        for request in unpacked(path.read_bytes())
    ]
    assert len({body["total_rx_packets"] for body in bodies}) == len(bodies) == 4 * 4


def test_what_the_load_generator_says() -> None:
    said = {"answered": 500, "failed": 1, "seconds": 2.0, "p50_us": 1500.0, "p99_us": 9000.0}
    answers = parsed(json.dumps({**said, "max_us": 1.0, "cpu_seconds": 0.5}))
    assert answers == Answers(250.0, 1.5, 9.0, 1, 0.25)


def test_medians_add_failures_up() -> None:
    rounds = [replace(GOOD, per_second=rate, failed=1) for rate in (900.0, 2000.0, 1000.0)]
    assert (median(rounds).per_second, median(rounds).failed) == (1000.0, 3)


@pytest.mark.parametrize(
    ("changes", "paced", "problem"),
    [
        ({}, False, None),
        ({"failed": 100}, False, "100 of 5100 requests failed"),
        ({"client_busy": 0.95}, False, "the load generator was busy to 95 %"),
        ({"client_busy": 0.95}, True, None),
    ],
)
def test_what_is_worth_nothing(changes: dict[str, float], paced: bool, problem: str | None) -> None:
    answers = replace(GOOD, **changes)  # type: ignore[arg-type]
    assert believable(answers, 5.0, paced=paced) == problem


def test_each_promise_can_be_missed_alone() -> None:
    def missed(of: Figures) -> list[str]:
        return [target.text for target in figures.targets(of) if not target.met]

    assert missed(FIGURES) == []
    slow = replace(GOOD, per_second=970.0)
    assert missed(replace(FIGURES, decision=slow)) == ["decisions / hello"]
    late = replace(GOOD, p99_ms=20.1)
    assert missed(replace(FIGURES, at_half=late)) == ["p99 at half of that rate, ms"]
    assert missed(replace(FIGURES, rss_mb=301.0)) == ["memory of the load balancer, MB"]


def test_the_last_line() -> None:
    assert figures.summary(FIGURES) == {
        "decision_rps": 1000.0,
        "hello_rps": 1400.0,
        "metrics_rps": 1000.0,
        "p99_ms_at_half": 10.0,
        "rss_mb": 200.0,
    }
    assert [len(row) for row in figures.rows(FIGURES)] == [7] * 5
