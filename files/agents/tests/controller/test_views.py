from __future__ import annotations

from typing import Any

from nrs.api.messages import DeviceStatus
from nrs.controller.views import ONLINE_S, Record, detail, summary, topology

from .conftest import status, tunnel

NOW = 1000.0


def record(
    device_id: str, *tunnels: dict[str, Any], said: bool = True, seen: float = NOW, **fields: Any
) -> Record:
    reported = DeviceStatus.model_validate(status(device_id, *tunnels)) if said else None
    values = {
        "device_type": "routing_server" if device_id[0] == "r" else "network_access_endpoint",
        "name": device_id,
        "tun_ipv4": "10.0.0.1",
        "tun_ipv6": "fd00::1",
        "internal_ip": None,
        "external_ip": None,
        "port": None,
        "ports": [],
        "version": None,
        "registered_at": 1.0,
        "config_version": 0,
        **fields,
    }
    return Record(device_id=device_id, last_seen=seen, reported=reported, **values)


def tunnels(*devices: Record) -> list[tuple[str, str, bool, bool]]:
    return [
        (t["endpoint_id"], t["router_id"], t["up"], t["active"])
        for t in topology(devices, NOW)["tunnels"]
    ]


def test_a_device_is_online_for_thirty_seconds() -> None:
    assert ONLINE_S == 30
    assert summary(record("e1", seen=NOW - 30), NOW)["status"] == "online"
    assert summary(record("e1", seen=NOW - 30.1), NOW)["status"] == "offline"


def test_a_device_that_never_reported_acknowledges_nothing() -> None:
    shown = summary(record("e1", said=False, config_version=3), NOW)
    assert (shown["config_version"], shown["config_acknowledged"]) == (3, 0)
    assert shown["config_error"] is None


def test_the_detail_of_a_device_is_its_summary_and_its_tunnels() -> None:
    device = record("e1", tunnel("r1"))
    shown = detail(device, NOW)
    assert shown.pop("tunnels") == [
        {"peer_id": "r1", "up": True, "active": True, "rtt_ms": 0.5, "since": 7.0}
    ]
    assert shown == summary(device, NOW)


def test_the_endpoints_view_of_a_tunnel_counts() -> None:
    endpoint = record("e1", tunnel("r1"), tunnel("r2", active=False))
    routers = [record("r1", tunnel("e1", up=False, active=False)), record("r2", tunnel("e1"))]
    assert tunnels(*routers, endpoint) == [
        ("e1", "r1", True, True),
        ("e1", "r2", True, False),
    ]


def test_a_router_cannot_add_a_tunnel_that_its_endpoint_does_not_have() -> None:
    assert tunnels(record("r1", tunnel("e1")), record("e1")) == []


def test_a_routers_view_stands_in_for_an_endpoint_that_never_reported() -> None:
    router = record("r1", tunnel("e1"), tunnel("e2", active=False))
    assert tunnels(router, record("e1", said=False)) == [
        ("e1", "r1", True, True),
        ("e2", "r1", True, False),
    ]


def test_a_tunnel_appears_once_and_the_better_report_of_it_counts() -> None:
    router = record("r1", tunnel("e1", up=False, active=False), tunnel("e1", active=False))
    assert tunnels(router) == [("e1", "r1", True, False)]


def test_the_tunnels_of_a_silent_device_are_down_since_it_fell_silent() -> None:
    silent = record("e1", tunnel("r1"), seen=NOW - 100)
    answer = topology([silent, record("r1", tunnel("e1"))], NOW)
    assert answer["tunnels"] == [
        {
            "endpoint_id": "e1",
            "router_id": "r1",
            "up": False,
            "active": False,
            "rtt_ms": None,
            "since": NOW - 100,
        }
    ]
    assert detail(silent, NOW)["tunnels"][0]["up"] is False
    assert tunnels(record("r1", tunnel("e1"), seen=NOW - 100)) == [("e1", "r1", False, False)]


def test_the_topology_names_every_device() -> None:
    devices = [record("e1"), record("r1", said=False, seen=0)]
    answer = topology(devices, NOW)
    assert answer["timestamp"] == NOW
    assert answer["devices"] == [summary(device, NOW) for device in devices]
