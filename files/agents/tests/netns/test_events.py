"""What an endpoint remembers of its switches, and tells the controller."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nrs.api.client import ApiClient
from nrs.endpoint.events import Switch
from tests.endpoint.switches import switch
from tests.netns.world import Agent, World, wait_until

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
    token, url = "t" * 40, "http://127.0.0.1:8090"
    config = {
        "controller": {"bind_address": "127.0.0.1"},
        "storage": {"url": f"sqlite:///{remembered}/registry.sqlite3"},
        "api": {"token": token},
    }
    Agent(world, "endpoint", "network-controller", "network_controller", config)
    wait_until((remembered / "network_controller.sock").is_socket, 20, "the controller runs")
    world.endpoint(network_controller={"url": url, "status_interval": 0.5}, api={"token": token})
    client = ApiClient([url], token)
    wait_until(lambda: _events(world, client)[:2] == EARLIER, 60, "the controller has them")


def _events(world: World, client: ApiClient) -> list[Switch]:
    with world.inside("endpoint"):
        answer = client.get("/events")
    return [Switch.from_dict(event) for event in answer["events"]]
