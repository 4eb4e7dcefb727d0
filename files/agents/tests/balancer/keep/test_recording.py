from __future__ import annotations

import io

import pytest

from nrs.balancer.keep.recording import Asked, RecordingDamaged, read, write
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
