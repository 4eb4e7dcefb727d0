from __future__ import annotations

import io
from pathlib import Path

import pytest

from nrs.balancer.config import LoadBalancerConfig, Metrics
from nrs.balancer.keep import recording
from nrs.balancer.keep.recording import Asked, Recorder, RecordingDamaged, read, write
from nrs.balancer.live import LiveBalancer
from tests.balancer.reports import WALL, report

REPORT = report("router_1", 0.5, timestamp=WALL + 2.5, draining=True)
ASKED = Asked(
    endpoint_id="endpoint_1",
    timestamp=WALL + 1,
    router_id="router_1",
    candidates=["router_1", "router_2"],
    mbps=3.5,
)


def test_what_is_written_is_read_in_the_order_of_time() -> None:
    file = io.StringIO()
    write(file, REPORT)
    write(file, ASKED)
    file.seek(0)
    assert read(file, "x.jsonl") == [ASKED, REPORT]


def test_a_line_is_the_body_of_a_post_and_empty_ones_are_passed_over() -> None:
    text = REPORT.model_dump_json()
    assert read(["", text, "\n"], "x.jsonl") == [REPORT]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "x.jsonl, line 2: not JSON"),
        ("[]", "x.jsonl, line 2: the line: "),
        ('{"server_id": "router_1"}', "x.jsonl, line 2: server_name: Field required"),
        ('{"endpoint_id": "e", "timestamp": 1}', "x.jsonl, line 2: router_id: Field required"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(line: str, said: str) -> None:
    with pytest.raises(RecordingDamaged, match=said):
        read([REPORT.model_dump_json(), line], "x.jsonl")


def test_without_metrics_there_is_nothing_to_replay() -> None:
    with pytest.raises(RecordingDamaged, match=r"x.jsonl: holds no metrics"):
        read([ASKED.model_dump_json()], "x.jsonl")


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
    monkeypatch.setattr(recording, "MOST_BYTES", 1000)
    found = Recorder(tmp_path / "x.jsonl")
    for _ in range(100):
        found.note(report("router_1"))
        found.flush()
    assert not found.recording
    assert 1000 <= (tmp_path / "x.jsonl").stat().st_size < 2000
    assert "the recording ends" in caplog.text


def test_a_disk_that_is_too_slow_loses_lines_and_tells_how_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recording, "MOST_WAITING", 3)
    found = Recorder(tmp_path / "x.jsonl")
    for _ in range(5):
        found.note(report("router_1"))
    found.close()
    assert len((tmp_path / "x.jsonl").read_text(encoding="utf-8").splitlines()) == 3
    assert "2 lines are lost, its disk is too slow" in caplog.text
