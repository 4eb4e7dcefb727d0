"""Fixtures for tests with real TUN devices, sockets and namespaces. They need root."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from testbed.wait import wait_until

from tests.netns.world import UNDERLAY4, UNDERLAY6, Agent, World

Routers = dict[str, Agent]


@contextmanager
def made() -> Iterator[World]:
    """A world, until it is left."""
    with TemporaryDirectory(prefix="nrs-") as directory:  # a path that sockets in it can bind
        built = World(Path(directory))
        try:
            yield built
        finally:
            built.close()


@pytest.fixture
def world() -> Iterator[World]:
    with made() as built:
        yield built


def both_up(endpoint: Agent) -> bool:
    tunnels = endpoint.tunnels().values()
    return len(tunnels) == 2 and all(t["up"] for t in tunnels)


@pytest.fixture
def routers(world: World) -> Routers:
    """The two routers, by name."""
    return {name: world.router(name) for name in ("router_a", "router_b")}


@pytest.fixture
def running(world: World) -> tuple[World, Agent, Agent, Agent]:
    """The world with two routers and an endpoint, both tunnels up."""
    router_a, router_b = world.router("router_a"), world.router("router_b")
    endpoint = world.endpoint()
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    return world, endpoint, router_a, router_b


@pytest.fixture(params=["c", "python"])
def codec(request: pytest.FixtureRequest, world: World) -> str:
    """Agents of the world that are started from now on use this codec."""
    name = str(request.param)
    world.environment["NRS_CODEC"] = name
    return name


def one_router(
    world: World,
    *,
    underlay: int = 6,
    path: tuple[str, str] | None = None,
    router: Agent | None = None,
    **tunnel: Any,
) -> tuple[Agent, Agent]:
    """A router and an endpoint that knows no other, the tunnel up.

    `path` is the endpoint's address and the router's, where it is not their own link;
    `tunnel` goes into the endpoint's configuration.
    """
    near, far = path or (UNDERLAY6 if underlay == 6 else UNDERLAY4)["router_a"]
    router = router or world.router("router_a")
    endpoint = world.endpoint(
        routers=[{"router_id": "router_a", "external_ip": far, "bind_address": near}],
        tunnel=tunnel,
    )
    wait_until(lambda: is_up(endpoint), 20, "tunnel up")
    return router, endpoint


def is_up(endpoint: Agent) -> bool:
    """Whether the tunnel to router_a is up."""
    return bool(endpoint.tunnels().get("router_a", {}).get("up"))
