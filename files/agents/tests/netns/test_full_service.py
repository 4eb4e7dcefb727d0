"""A host without room or descriptors, and the two services with an HTTP API: a clear line each."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from testbed.wait import wait_until

from tests.balancer.reports import fields
from tests.netns.host.test_full_host import fill, limit_descriptors, quiet, small_disk
from tests.netns.world import Agent, World

__all__ = ["small_disk"]

PORT = 8080
HOST = "business"
SERVICES = {
    "load_balancer": ("load-balancer", "server"),
    "network_controller": ("network-controller", "controller"),
}
LATE_S = 15


@pytest.fixture(params=SERVICES)
def service(
    world: World, small_disk: Path, monkeypatch: pytest.MonkeyPatch, request: Any
) -> Iterator[Agent]:
    """One whose log and state are on a small disk."""
    command, section = SERVICES[request.param]
    monkeypatch.setenv("STATE_DIRECTORY", str(small_disk / "state"))
    where = {"bind_address": "127.0.0.1", "bind_port": PORT}
    config: dict[str, Any] = {
        section: {**where, "log_file": str(small_disk / "service.log")},
    }
    if request.param == "load_balancer":
        config["state"] = {"store_interval": 1}
    agent = Agent(world, HOST, command, request.param, config)
    wait_until(agent.status, 20, "it answers")
    yield agent
    agent.stop()


def ask(world: World, method: str, path: str, body: Any = None) -> int:
    """The status of an answer; 0 where there is none."""
    with closing(world.socket(HOST, socket.AF_INET, socket.SOCK_STREAM)) as sock:
        sock.settimeout(3)
        connection = http.client.HTTPConnection("127.0.0.1", PORT)
        connection.sock = sock
        with suppress(OSError, http.client.HTTPException):
            sock.connect(("127.0.0.1", PORT))
            headers = {"Content-Type": "application/json"}
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, headers)
            return connection.getresponse().status
    return 0


def change(world: World, agent: Agent, number: int) -> int:
    """Something that is to be kept."""
    if agent.unit == "load_balancer":
        body = fields("router_1", timestamp=time.time(), total_rx_packets=number)
        return ask(world, "POST", "/metrics", body)
    kind = "network_access_endpoint"
    body = {"device_id": f"endpoint_{number}", "device_type": kind, "name": "x" * 60}
    return ask(world, "POST", "/register", body)


def complaints(agent: Agent) -> list[str]:
    return [line for line in agent.log.splitlines() if line.startswith("ERROR")]


def test_a_full_disk_is_told_once_and_it_goes_on(
    world: World, small_disk: Path, service: Agent
) -> None:
    assert change(world, service, 0) in {200, 201}
    ballast = fill(small_disk)

    def failed() -> bool:
        return any("full" in line for line in complaints(service))

    numbers = iter(range(1, 1000))
    wait_until(lambda: change(world, service, next(numbers)) == 503 or failed(), LATE_S, "it fails")
    for _ in range(5):
        change(world, service, next(numbers))
    wait_until(failed, LATE_S, "it is told")

    def degraded() -> bool:
        change(world, service, next(numbers))
        return ask(world, "GET", "/health") == 503

    wait_until(degraded, LATE_S, "its health says so")
    told = complaints(service)
    assert len(told) == len(set(told)) <= 3, told
    assert quiet(service)
    ballast.unlink()
    wait_until(lambda: change(world, service, next(numbers)) in {200, 201}, LATE_S, "it recovers")
    if service.unit == "load_balancer":
        wait_until(lambda: "decisions are stored again" in service.log, LATE_S, "and says so")
    wait_until(lambda: ask(world, "GET", "/health") == 200, LATE_S, "its health, too")
    assert quiet(service)


def test_without_descriptors_it_waits_and_goes_on(world: World, service: Agent) -> None:
    pid = service.process.pid
    assert ask(world, "GET", "/health") == 200
    limit_descriptors(service, 3)
    began = Path(f"/proc/{pid}/stat").read_text().split()[13:15]
    assert ask(world, "GET", "/health") == 0
    wait_until(lambda: "connections are not accepted" in service.log, LATE_S, "it is told")
    waiting = [threading.Thread(target=ask, args=(world, "GET", "/health")) for _ in range(3)]
    for thread in waiting:
        thread.start()
    time.sleep(2)
    used = [
        int(now) - int(before)
        for now, before in zip(
            Path(f"/proc/{pid}/stat").read_text().split()[13:15], began, strict=True
        )
    ]
    assert sum(used) / 100 < 1, "it asks again and again for what it cannot have"
    for thread in waiting:
        thread.join()
    assert quiet(service)
    assert service.log.count("connections are not accepted: Too many open files") == 1
    limit_descriptors(service, 1024)
    wait_until(lambda: ask(world, "GET", "/health") == 200, LATE_S, "it answers again")
    assert service.log.count("connections are accepted again") == 1
    assert quiet(service)
