from __future__ import annotations

from pathlib import Path

import pytest

from nrs.balancer.config import LoadBalancerConfig, Metrics
from nrs.balancer.keep import recorder
from nrs.balancer.keep.recorder import Recorder
from nrs.balancer.keep.recording import Asked, read
from nrs.balancer.live import LiveBalancer
from tests.balancer.reports import WALL, report


def test_a_load_balancer_records_reports_and_decisions(tmp_path: Path) -> None:
    file = tmp_path / "recording.jsonl"
    config = LoadBalancerConfig(metrics=Metrics(record_file=file))
    balancer = LiveBalancer(config, clock=lambda: 0.0, wall_clock=lambda: WALL + 1)
    balancer.report(report("router_1"))
    balancer.decide("a", ["router_1"], "router_1", 2.5)
    balancer.watch()
    asked = Asked(
        endpoint_id="a",
        timestamp=WALL + 1,
        router_id="router_1",
        candidates=["router_1"],
        current="router_1",
        mbps=2.5,
    )
    assert read(file.read_text(encoding="utf-8").splitlines(), "x") == [report("router_1"), asked]
    balancer.configure(LoadBalancerConfig())
    balancer.decide("a", None)
    balancer.watch()
    assert len(file.read_text(encoding="utf-8").splitlines()) == 2


def test_a_recording_goes_on_where_it_was(tmp_path: Path) -> None:
    file = tmp_path / "recording.jsonl"
    for _ in range(2):
        found = Recorder(file)
        found.note(report("router_1"))
        found.close()
    assert len(file.read_text(encoding="utf-8").splitlines()) == 2


def test_nothing_is_recorded_unless_told() -> None:
    found = Recorder(None)
    found.note(report("router_1"))
    found.flush()
    assert not found.recording


def test_a_file_that_cannot_be_written_is_told_of_and_disturbs_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = Recorder(tmp_path / "nowhere" / "x.jsonl")
    found.note(report("router_1"))
    assert "nothing is recorded: No such file or directory" in caplog.text
    full = Recorder(Path("/dev/full"))
    full.note(report("router_1"))
    full.flush()
    full.note(report("router_1"))
    full.close()
    assert "the recording ends: No space left on device" in caplog.text


def test_a_recording_has_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recorder, "MOST_BYTES", 1000)
    found = Recorder(tmp_path / "x.jsonl")
    for _ in range(100):
        found.note(report("router_1"))
        found.flush()
    assert not found.recording
    assert 1000 <= (tmp_path / "x.jsonl").stat().st_size < 2000
    assert "the recording ends" in caplog.text
