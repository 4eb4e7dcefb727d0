from __future__ import annotations

import pytest
from rich.table import Table

from nrs.cli.tables import age, details, headline, problems, tables

NOW = 10_000.0


def rows(table: Table) -> list[list[str]]:
    columns = [[str(cell) for cell in column.cells] for column in table.columns]
    return [list(row) for row in zip(*columns, strict=True)]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3661, "1 h 1 min"),
        (3 * 86400 + 4 * 3600 + 59, "3 d 4 h"),
    ],
)
def test_ages(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_tunnels_of_either_end_are_shown_by_their_peer() -> None:
    report = {
        "codec": "python",
        "tunnels": [
            {"router_id": "r1", "up": True, "active": True, "rtt_ms": 1.234, "since": NOW - 61}
            | {"path_mtu": 1400, "path_state": "search", "address": "192.0.2.21:443"},
            {"endpoint_id": "e1", "up": False, "active": False, "rtt_ms": None, "since": None}
            | {"path_mtu": 1492, "not_together": ["trains that are sent to it"]},
            {"router_id": "r2", "up": False, "active": False, "rtt_ms": None, "since": None},
            {"endpoint_id": "e2", "up": True, "contested": True, "active": True, "rtt_ms": None},
            {"endpoint_id": "e3", "up": False, "contested": True, "active": False},
            {"router_id": "r4", "up": False, "state": "revoked", "active": False},
        ],
    }
    (table,) = tables(report, NOW)
    assert rows(table) == [
        ["r1", "up", "yes", "1.23 ms", "1400 (search)", "192.0.2.21:443", "1 min 1 s"],
        ["e1", "down", "standby", "-", "1492, no trains", "-", "-"],
        ["r2", "down", "standby", "-", "-", "-", "-"],
        ["e2", "contested", "yes", "-", "-", "-", "-"],
        ["e3", "down", "standby", "-", "-", "-", "-"],
        ["r4", "revoked", "standby", "-", "-", "-", "-"],
    ]


def test_the_ports_of_a_router_that_has_several() -> None:
    tunnel = {"endpoint_id": "e1", "up": True, "address": "192.0.2.1:4000", "port": 443}
    report = {"codec": "c", "ports": [51820, 443], "tunnels": [tunnel]}
    (table,) = tables(report, NOW)
    assert rows(table)[0][5:7] == ["192.0.2.1:4000", "443"]
    assert [str(line) for line in details(report)] == ["  listens on UDP ports 51820, 443"]
    (table,) = tables({**report, "ports": [443]}, NOW)
    assert rows(table)[0][5:] == ["192.0.2.1:4000", "-"]


def test_an_agent_of_tunnels_that_has_none_says_so() -> None:
    (table,) = tables({"codec": "python", "tunnels": []}, NOW)
    assert rows(table) == [["no tunnel"]]
    assert tables({"codec": None, "tunnels": []}, NOW) == []


def test_problems_and_routes_are_said() -> None:
    report = {
        "problems": [{"what": "route 198.51.100.0/24 of tun0 cannot be kept", "since": NOW - 61}],
        "routes": {"wanted": 4, "in_place": 3},
        "put_back": 9,
        "not_kept": 1,
    }
    assert [str(line) for line in problems(report, NOW)] == [
        "  problem for 1 min 1 s: route 198.51.100.0/24 of tun0 cannot be kept"
    ]
    assert [str(line) for line in details(report)] == [
        "  put back: 9",
        "  not kept: 1",
        "  routes: 4 wanted, 3 in place",
    ]
    assert problems({}, NOW) == problems({"problems": []}, NOW) == []


def test_servers_with_their_scores() -> None:
    server = {
        "server_id": "router_1",
        "server_name": "Router 1",
        "status": "active",
        "cpu_percent": 12.4,
        "memory_percent": 30,
        "bandwidth_mbps": 1.25,
        "active_tunnels": 2,
        "score": 0.9134,
    }
    other = {"server_id": "router_2", "reason": "no report for 30 s"}
    (table,) = tables({"servers": [server, other]}, NOW)
    assert rows(table) == [
        ["router_1", "Router 1", "active", "0.913", "12 %", "30 %", "1.2 Mb/s", "2", ""],
        ["router_2", "", "?", "-", "-", "-", "-", "-", "no report for 30 s"],
    ]


def test_devices_with_the_state_of_their_configuration() -> None:
    device = {
        "device_id": "e1",
        "device_type": "network_access_endpoint",
        "status": "online",
        "last_seen": NOW - 3,
        "tun_ipv4": "10.10.100.1",
        "tun_ipv6": "fd00:100::1",
        "config_version": 2,
        "config_acknowledged": 2,
        "config_error": None,
    }
    behind = {**device, "config_acknowledged": 1}
    refused = {**behind, "config_error": "no such router"}
    (table,) = tables({"devices": [device, behind, refused]}, NOW)
    assert rows(table)[0] == [
        "e1",
        "network_access_endpoint",
        "online",
        "3 s",
        "10.10.100.1",
        "fd00:100::1",
        "2",
    ]
    assert [row[-1] for row in rows(table)] == ["2", "2 (runs 1)", "2 refused: no such router"]


def test_what_a_device_calls_itself_is_never_read_as_markup() -> None:
    (table,) = tables({"servers": [{"server_id": "r", "server_name": "[red]x[/red]"}]}, NOW)
    assert rows(table)[0][1] == "[red]x[/red]"


def test_the_headline_and_every_further_single_value() -> None:
    report = {
        "role": "routing_server",
        "id": "router_1",
        "codec": "python",
        "offloads": [],
        "tunnels": [],
        "hmac_failures": 3,
        "draining": False,
        "rate": 0.5,
        "nested": {"not": "shown"},
    }
    assert str(headline(report)) == "routing_server router_1  codec python, offloads none"
    assert [str(line) for line in details(report)] == [
        "  hmac failures: 3",
        "  draining: no",
        "  rate: 0.5",
    ]
