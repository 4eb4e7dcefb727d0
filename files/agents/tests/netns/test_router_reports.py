"""What a router tells the load balancer without waiting for the next report."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from testbed.proc import family
from testbed.wait import wait_until

from tests.netns.world import Agent, World

SOON_S = 3
"""Far below the minute between two reports: a process has to be woken and a request to be made."""


@pytest.fixture
def pair(world: World) -> tuple[Agent, Agent]:
    """A load balancer, and a router that reports to it once a minute."""
    server = {"bind_address": "127.0.0.1", "bind_port": 8080}
    balancer = Agent(world, "router_b", "load-balancer", "load_balancer", {"server": server})
    wait_until(balancer.status, 20, "the load balancer runs")
    router = world.router("router_b", metrics={"report_interval": 60.0})
    wait_until(lambda: reported(balancer), 20, "the router has reported")
    return balancer, router


def reported(balancer: Agent) -> dict[str, Any]:
    servers = balancer.status().get("servers", [])
    return dict(servers[0]) if servers else {}


def test_a_dead_egress_is_reported_at_once(world: World, pair: tuple[Agent, Agent]) -> None:
    balancer, _ = pair
    assert reported(balancer)["status"] == "active"
    world.ip("router_b", "link", "set", "egress0", "down")
    wait_until(lambda: reported(balancer)["status"] == "egress_down", SOON_S, "it is known")
    world.ip("router_b", "link", "set", "egress0", "up")
    wait_until(lambda: reported(balancer)["status"] == "active", SOON_S, "it is used again")


def test_a_companion_that_is_started_again_works_as_the_agent_does(
    world: World, pair: tuple[Agent, Agent]
) -> None:
    """Not as the file says, which the agent was not asked to take yet."""
    balancer, router = pair
    router.config["server"]["name"] = "edited"
    router.write(router.config)
    _, companion = family(router.process.pid)
    os.kill(companion, signal.SIGKILL)
    world.ip("router_b", "link", "set", "egress0", "down")
    wait_until(lambda: reported(balancer)["status"] == "egress_down", 20, "another one reports")
    assert companion not in family(router.process.pid)
    assert reported(balancer)["server_name"] == "router_b"
    router.signal(signal.SIGHUP)
    wait_until(lambda: reported(balancer)["server_name"] == "edited", 20, "now it was asked to")
