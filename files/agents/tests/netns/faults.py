"""Faults of one router of a world, and how they end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from testbed.wait import wait_until

from tests.netns.world import Agent, World

CABLE = {"router_a": "r1", "router_b": "r2"}
"""The business server's ends of the routers' egress links."""


@dataclass(frozen=True)
class Fault:
    """`begin` and `end` take the world and the router that is hit."""

    name: str
    begin: Callable[[World, Agent], object]
    end: Callable[[World, Agent], object]

    def __str__(self) -> str:
        return self.name


def _cut_egress(world: World, router: Agent) -> None:
    world.ip("business", "link", "set", CABLE[router.host], "down")


def _mend_egress(world: World, router: Agent) -> None:
    world.ip("business", "link", "set", CABLE[router.host], "up")
    wait_until(lambda: router.status()["egress_up"], 10, "the router is of use again")


KILL = Fault("kill", lambda _, router: router.kill(), lambda _, router: router.start())
BLACKHOLE = Fault(
    "blackhole",
    lambda world, router: world.blackhole(router.host),
    lambda world, router: world.unblackhole(router.host),
)
EGRESS = Fault("egress", _cut_egress, _mend_egress)


def other_than(router: str) -> str:
    """The other one of the two."""
    return {"router_a": "router_b", "router_b": "router_a"}[router]
