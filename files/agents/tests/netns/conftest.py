"""Fixtures for tests with real TUN devices, sockets and namespaces. They need root."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netns.world import Agent, World, wait_until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    built = World(tmp_path)
    try:
        yield built
    finally:
        built.close()


def both_up(endpoint: Agent) -> bool:
    tunnels = endpoint.tunnels().values()
    return len(tunnels) == 2 and all(t["up"] for t in tunnels)


@pytest.fixture
def running(world: World) -> tuple[World, Agent, Agent, Agent]:
    """The world with two routers and an endpoint, both tunnels up."""
    router_a, router_b = world.router("router_a"), world.router("router_b")
    endpoint = world.endpoint()
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    return world, endpoint, router_a, router_b
