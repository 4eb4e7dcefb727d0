"""Both APIs on the real hosts: what they show, whom they serve, what they refuse."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

BALANCER = "https://[fd88::11]:8080"
CONTROLLER = "https://[fd88::12]:8090"
CA = "/etc/network-routing-system/ca.pem"
FROM = "endpoint_1"
METRICS = {
    "server_id": "router_1",
    "server_name": "router_1",
    "timestamp": 0,
    "cpu_percent": 1.0,
    "memory_percent": 1.0,
    "bandwidth_mbps": 1.0,
    "active_tunnels": 1,
    "total_rx_packets": 1,
    "total_tx_packets": 1,
}


def _call(
    lab: Any,
    url: str,
    *,
    header: str | None = "",
    body: str | None = None,
    host: str = FROM,
) -> tuple[int, Any]:
    """Status and JSON answer of a request that a host makes, as an operator unless said."""
    if header == "":
        header = f"Authorization: Bearer {lab.token(url[: url.index('/', 9)])}"
    words = ["curl", "--silent", "--globoff", "--max-time", "10", "-w", "'\\n%{http_code}'"]
    words += ["--cacert", CA]
    if header:
        words += ["-H", f'"{header}"']
    if body is not None:
        words += ["-H", "'Content-Type: application/json'", "--data-binary", f"'{body}'"]
    said = lab.exec(host, "sh", "-c", " ".join([*words, f"'{url}'"]))
    answer, _, status = said.rpartition("\n")
    return int(status), json.loads(answer)


def test_status_shows_every_router_with_live_figures(lab: Any) -> None:
    status, answer = _call(lab, f"{BALANCER}/status")
    assert status == 200
    servers = {server["server_id"]: server for server in answer["servers"]}
    assert sorted(servers) == sorted(lab.ROUTERS)
    assert answer["total_servers"] == answer["active_servers"] == 3
    assert abs(answer["timestamp"] - time.time()) < 30
    for server in servers.values():
        assert server["status"] == "active"
        assert 0 < server["memory_percent"] <= 100
        assert 0 < server["score"] <= 1
    # endpoint_1 has tunnels to routers 1 and 2, endpoint_2 to 2 and 3.
    assert [servers[name]["active_tunnels"] for name in lab.ROUTERS] == [1, 2, 1]
    assert answer["active_decisions"] >= 2


def test_a_decision_is_one_of_the_candidates(lab: Any) -> None:
    url = f"{BALANCER}/decision/endpoint_2?candidates=router_2,router_3"
    status, answer = _call(lab, url)
    assert status == 200
    assert answer["optimal_router_id"] in ("router_2", "router_3")
    assert answer["business_server_ip"] == "198.51.100.10"
    assert answer["optimal_router_external_ip"].startswith("2001:db8:2:")


def test_devices_and_topology_show_the_real_hosts(lab: Any) -> None:
    status, answer = _call(lab, f"{CONTROLLER}/devices")
    assert status == 200
    devices = {device["device_id"]: device for device in answer["devices"]}
    assert sorted(devices) == sorted([*lab.ROUTERS, *lab.ENDPOINTS])
    assert {device["status"] for device in devices.values()} == {"online"}
    assert devices["endpoint_1"]["tun_ipv4"] == "10.10.100.1"
    status, topology = _call(lab, f"{CONTROLLER}/topology")
    assert status == 200
    tunnels = {(t["endpoint_id"], t["router_id"]): t for t in topology["tunnels"]}
    assert sorted(tunnels) == [
        ("endpoint_1", "router_1"),
        ("endpoint_1", "router_2"),
        ("endpoint_2", "router_2"),
        ("endpoint_2", "router_3"),
    ]
    assert all(tunnel["up"] for tunnel in tunnels.values())
    for endpoint in lab.ENDPOINTS:
        active = [
            router for (owner, router), t in tunnels.items() if owner == endpoint and t["active"]
        ]
        assert len(active) == 1


@pytest.mark.parametrize("url", [f"{BALANCER}/status", f"{CONTROLLER}/devices"])
@pytest.mark.parametrize("header", [None, "Authorization: Bearer " + "x" * 43])
def test_nobody_reads_without_the_token(lab: Any, url: str, header: str | None) -> None:
    status, answer = _call(lab, url, header=header)
    assert status == 401
    assert "token" in answer["error"]


@pytest.mark.parametrize(
    ("host", "url"),
    [("lb", "https://[::1]:8080/status"), ("controller", "https://127.0.0.1:8090/devices")],
)
def test_the_hosts_themselves_do_not_read_without_a_token(lab: Any, host: str, url: str) -> None:
    assert _call(lab, url, header=None, host=host)[0] == 401


@pytest.mark.parametrize("url", [f"{BALANCER}/health", f"{CONTROLLER}/health"])
def test_health_needs_no_token(lab: Any, url: str) -> None:
    assert _call(lab, url, header=None)[0] == 200


def test_a_wrong_token_changes_nothing(lab: Any) -> None:
    url = f"{CONTROLLER}/device/endpoint_1"
    before = _call(lab, url)[1]["config_version"]
    push = json.dumps({"config": {"load_balancer": {"poll_interval": 3}}})
    wrong = "Authorization: Bearer " + "x" * 43
    assert _call(lab, f"{CONTROLLER}/push_config/endpoint_1", header=wrong, body=push)[0] == 401
    assert _call(lab, url)[1]["config_version"] == before


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cpu_percent": 101}, "cpu_percent"),
        ({"memory_percent": -1}, "memory_percent"),
        ({"bandwidth_mbps": float("nan")}, "bandwidth_mbps"),
        ({"active_tunnels": "1"}, "active_tunnels"),
        ({"server_id": None}, "server_id"),
    ],
)
def test_impossible_metrics_are_refused(lab: Any, change: dict[str, Any], field: str) -> None:
    body = json.dumps({**METRICS, "timestamp": time.time(), **change})
    status, answer = _call(lab, f"{BALANCER}/metrics", body=body)
    assert (status, answer["field"]) == (400, field)


def test_an_unknown_device_is_404(lab: Any) -> None:
    assert _call(lab, f"{CONTROLLER}/device/nobody")[0] == 404


def test_a_large_body_is_413(lab: Any) -> None:
    lab.exec(FROM, "sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x >/tmp/large")
    token = lab.token(BALANCER)
    said = lab.exec(
        FROM,
        "sh",
        "-c",
        f"curl -s -g --cacert {CA} -o /dev/null -w '%{{http_code}}' "
        f"-H 'Authorization: Bearer {token}' "
        "-H 'Content-Type: application/json' "
        f"--data-binary @/tmp/large '{BALANCER}/metrics'",
    )
    assert said == "413"
