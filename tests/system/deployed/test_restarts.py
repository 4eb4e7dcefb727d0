"""systemd restarts agents, and they go on as if nothing had been; a stopped one is gone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

BUSINESS = "198.51.100.10"
RATE = 100
SECONDS = 6
RESUMED = re.compile(r"(\d+) of \1 sessions of an earlier run go on")
UNITS = {"router": "routing_server", "endpoint": "network_access_endpoint"}


@pytest.fixture(autouse=True)
def _settled(lab: Any, wait: Callable[..., float]) -> Iterator[None]:
    """Each test begins and ends with every tunnel up."""
    wait(lab.all_up, 30, "two tunnels of each endpoint up before the test")
    yield
    wait(lab.all_up, 30, "two tunnels of each endpoint up after the test")


def resumed(lab: Any, host: str, unit: str) -> bool:
    """Whether the unit's present process goes on with all sessions of the one before."""
    pid = lab.exec(host, "systemctl", "show", "-p", "MainPID", "--value", unit).strip()
    said = lab.exec(host, "journalctl", "-q", "-o", "cat", "-u", unit, f"_PID={pid}")
    return RESUMED.search(said) is not None


@pytest.mark.parametrize("which", UNITS)
def test_a_restart_loses_no_packet(lab: Any, wait: Callable[..., float], which: str) -> None:
    host = lab.active_router("endpoint_1") if which == "router" else "endpoint_1"
    words = ("-nq", f"-i{1 / RATE}", f"-c{SECONDS * RATE}", "-W5", "-Itun0", BUSINESS)
    carried = lab.status("endpoint_1")["figures"]["rx_packets"]
    ping = lab.start("endpoint_1", "ping", *words)
    wait(
        lambda: lab.status("endpoint_1")["figures"]["rx_packets"] > carried + RATE,
        10,
        "packets flow",
    )
    lab.exec(host, "systemctl", "restart", UNITS[which])
    assert ping.poll() is None, "the traffic ended too early to show anything"
    said = ping.communicate(timeout=60)[0]
    assert f"{SECONDS * RATE} packets transmitted, {SECONDS * RATE} received" in said
    assert resumed(lab, host, UNITS[which])


@pytest.mark.parametrize("which", UNITS)
def test_a_killed_agent_comes_back_with_its_sessions(
    lab: Any, wait: Callable[..., float], which: str
) -> None:
    host = lab.active_router("endpoint_1") if which == "router" else "endpoint_1"
    lab.exec(host, "systemctl", "kill", "-s", "KILL", UNITS[which])
    wait(lambda: resumed(lab, host, UNITS[which]), 10, "it goes on")


def test_a_stopped_router_leaves_nothing_and_its_endpoints_know(
    lab: Any, wait: Callable[..., float]
) -> None:
    host, unit = lab.active_router("endpoint_1"), "routing_server"
    try:
        lab.exec(host, "systemctl", "stop", unit)
        kept = lab.exec(host, "systemctl", "show", "-p", "NFileDescriptorStore", "--value", unit)
        assert kept.strip() == "0"
        assert "tun0" not in lab.exec(host, "ip", "-br", "link")
        assert "nrs_routing_server" not in lab.exec(host, "nft", "list", "tables")
        assert lab.tunnels("endpoint_1")[host]["state"] == "connecting"
    finally:
        lab.exec(host, "systemctl", "start", unit)
    assert not resumed(lab, host, unit)
