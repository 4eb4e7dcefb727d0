from __future__ import annotations

from lab import report


def test_tunnel_table_has_a_line_for_each_tunnel():
    status = {
        "codec": "python",
        "tunnels": [
            {"router_id": "router_1", "up": True, "active": True, "rtt_ms": 0.512},
            {"router_id": "router_2", "up": False, "active": False, "rtt_ms": None},
        ],
    }
    assert [line.split() for line in report.tunnels({"endpoint_1": status}).splitlines()[1:]] == [
        ["endpoint_1", "router_1", "up", "active", "0.51", "ms", "python"],
        ["endpoint_1", "router_2", "down", "standby", "-", "python"],
    ]


def test_scores_show_what_is_missing_as_a_dash():
    text = report.scores({"servers": [{"server_id": "router_1", "status": "stale"}]})
    assert text.splitlines()[1].split() == ["router_1", "stale", "-", "-", "-", "-", "-"]


def test_columns_line_up():
    lines = report.table(("A", "B"), [("longer", "x"), ("s", "y")]).splitlines()
    assert len({line.index(column) for line, column in zip(lines, "Bxy", strict=True)}) == 1


def test_what_to_break_next_is_what_is_in_use():
    tunnels = [
        {"router_id": "router_1", "active": False},
        {"router_id": "router_2", "active": True},
    ]
    text = report.next_steps({"endpoint_1": {"tunnels": tunnels}})
    assert "blackhole endpoint_1 router_2" in text
    assert "blackhole endpoint_1 router_1" in report.next_steps({})
