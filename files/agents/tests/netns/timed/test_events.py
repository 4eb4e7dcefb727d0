"""What an endpoint remembers of its switches, and tells the controller."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from testbed.wait import wait_until

from nrs.api.client import ApiClient
from nrs.endpoint.events import Switch
from nrs.identity.credential import Role
from tests.endpoint.switches import switch
from tests.netns.world import AGENTS, BUSINESS, Agent, World
from tests.signing import Signing

Running = tuple[World, Agent, Agent, Agent]

EARLIER = [switch(7), switch(8, gap_ms=44.0)]


@pytest.fixture
def remembered(world: World) -> Path:
    """The endpoint's directory, with the switches of an earlier run."""
    directory = world.directory / "endpoint"
    directory.mkdir()
    text = "".join(json.dumps(s.as_dict()) + "\n" for s in EARLIER)
    (directory / "events.jsonl").write_text(text, encoding="utf-8")
    return directory


@pytest.mark.usefixtures("remembered")
def test_switches_of_an_earlier_run_are_still_told(world: World) -> None:
    endpoint = world.endpoint()
    wait_until(endpoint.status, 20, "the endpoint answers")
    told = [Switch.from_dict(event) for event in endpoint.command("events", since=0)["events"]]
    assert told[:2] == EARLIER
    assert all(s.number > 8 for s in told[2:])


def test_the_controller_is_told_by_the_companion(world: World, remembered: Path) -> None:
    signing, url = Signing(remembered), "http://127.0.0.1:8090"
    config = {
        "controller": {"bind_address": "127.0.0.1"},
        "storage": {"url": f"sqlite:///{remembered}/registry.sqlite3"},
        "api": signing.service(url),
    }
    Agent(world, "endpoint", "network-controller", "network_controller", config)
    wait_until((remembered / "network_controller.sock").is_socket, 20, "the controller runs")
    own = signing.token(url, Role.ENDPOINT, "endpoint_1")
    world.endpoint(network_controller={"url": url, "status_interval": 0.5}, api={"token": own})
    client = ApiClient([url], {url: signing.token(url)})
    wait_until(lambda: _events(world, client)[:2] == EARLIER, 60, "the controller has them")


def test_a_failover_is_explained_and_remembered(running: Running) -> None:
    world, endpoint, *_ = running
    assert world.ping(BUSINESS[0])
    left = next(name for name, t in endpoint.tunnels().items() if t["active"])
    taken = next(name for name in endpoint.tunnels() if name != left)
    traffic = world.popen("endpoint", "ping", "-q", "-i", "0.02", BUSINESS[0])
    world.blackhole(left)
    failover = wait_until(lambda: _measured(endpoint, left), 30, "the gap is measured")
    traffic.terminate()
    assert (failover.after, failover.cause) == (taken, f"{left} does not answer")
    assert failover.gap_ms is not None
    assert 0 < failover.gap_ms < 20_000
    evidence = {e.router_id: e for e in failover.evidence}
    assert set(evidence) == {left, taken}
    assert evidence[left].unanswered >= 3

    said = _why(endpoint)[-1]
    assert f" {left} -> {taken}: {left} does not answer (" in said
    assert "; gap " in said

    kept = endpoint.directory / "events.jsonl"
    gap = f'"gap_ms": {failover.gap_ms}'
    wait_until(lambda: kept.exists() and gap in kept.read_text(), 30, "it is kept")
    endpoint.kill()
    endpoint.start()
    wait_until(endpoint.status, 20, "the endpoint answers again")
    assert _measured(endpoint, left) == failover
    wait_until(lambda: _switches(endpoint)[-1].number > failover.number, 20, "numbers go on")


def _switches(endpoint: Agent) -> list[Switch]:
    return [Switch.from_dict(event) for event in endpoint.command("events")["events"]]


def _measured(endpoint: Agent, left: str) -> Switch | None:
    """The failure of `left`, once its gap is known."""
    found = (s for s in _switches(endpoint) if s.before == left and s.gap_ms)
    return next(found, None)


def _why(endpoint: Agent) -> list[str]:
    environment = {**os.environ, "NRS_RUNTIME_DIRECTORY": str(endpoint.directory)}
    done = subprocess.run(
        [sys.executable, "-m", "nrs", "why"],
        cwd=AGENTS,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines()


def _events(world: World, client: ApiClient) -> list[Switch]:
    with world.inside("endpoint"):
        answer = client.get("/events")
    return [Switch.from_dict(event) for event in answer["events"]]
