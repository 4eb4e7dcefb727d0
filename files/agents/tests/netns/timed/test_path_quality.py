"""A path that loses is left for one that is known to lose less, and for no other."""

from __future__ import annotations

import pytest
from testbed.wait import wait_until

from tests.netns.timed.test_failover import active_of, lost, start_ping
from tests.netns.world import Agent, World

Running = tuple[World, Agent, Agent, Agent]
EVERY = 10
"""One in so many is lost, spread evenly: never enough in a row to look like silence."""


def lose(world: World, router: str, way: str) -> None:
    """Drop one datagram in EVERY between the endpoint and a router, `up` or `down`."""
    hook, where = {"up": ("prerouting", "iifname"), "down": ("output", "oifname")}[way]
    world.exec(
        router,
        "nft",
        "add table inet loss;"
        f"add chain inet loss {way} {{ type filter hook {hook} priority -400; }};"
        f"add rule inet loss {way} {where} wan0 numgen inc mod {EVERY} 0 drop",
    )


def judged(endpoint: Agent) -> list[str]:
    """Whom traffic has left for loss or delay; on a busy machine silence may move it as well."""
    events = endpoint.command("events")["events"]
    return [event["before"] for event in events if "loses or delays" in event["cause"]]


@pytest.mark.parametrize("ways", [("up", "up"), ("up", "down")])
def test_traffic_stays_where_the_other_path_loses_as_much(
    running: Running, ways: tuple[str, str]
) -> None:
    world, endpoint, *_ = running
    active = active_of(endpoint)
    other = next(name for name in endpoint.tunnels() if name != active)
    for router, way in zip((active, other), ways, strict=True):
        lose(world, router, way)
    assert lost(start_ping(world, 800)) > 0
    assert judged(endpoint) == []
    world.exec(other, "nft", "delete table inet loss")
    ping = start_ping(world, 2500)
    wait_until(lambda: active_of(endpoint) == other, 25, "traffic moves to the path that is well")
    ping.terminate()
    assert set(judged(endpoint)) <= {active}
