"""What an endpoint remembers of its switches."""

from __future__ import annotations

import json

from nrs.endpoint.events import Switch
from tests.endpoint.switches import switch
from tests.netns.world import World, wait_until


def test_switches_of_an_earlier_run_are_still_told(world: World) -> None:
    earlier = [switch(7), switch(8, gap_ms=44.0)]
    directory = world.directory / "endpoint"
    directory.mkdir()
    (directory / "events.jsonl").write_text(
        "".join(json.dumps(s.as_dict()) + "\n" for s in earlier), encoding="utf-8"
    )
    endpoint = world.endpoint()
    wait_until(endpoint.status, 20, "the endpoint answers")
    told = [Switch.from_dict(event) for event in endpoint.command("events", since=0)["events"]]
    assert told[:2] == earlier
    assert all(s.number > 8 for s in told[2:])
