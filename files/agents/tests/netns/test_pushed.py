"""Configuration from the controller: applied, kept over a restart, refused as a whole."""

from __future__ import annotations

import signal

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import both_up
from tests.netns.world import BUSINESS, Agent, World

Running = tuple[World, Agent, Agent, Agent]


@pytest.fixture
def running(world: World) -> Running:
    """An endpoint whose file lets routes be pushed, and both of its routers."""
    routers = world.router("router_a"), world.router("router_b")
    endpoint = world.endpoint(push={"routes_within": ["203.0.113.0/24", "192.0.2.0/24"]})
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    return world, endpoint, *routers


def routes(world: World) -> str:
    return world.exec("endpoint", "ip", "route")


def test_a_pushed_route_is_installed_and_survives_a_restart(running: Running) -> None:
    world, endpoint, *_ = running
    wanted = ["198.51.100.0/24", "203.0.113.0/24"]
    answer = endpoint.command("apply_config", version=1, config={"tunnel": {"routes": wanted}})
    assert answer == {"error": None}
    assert "203.0.113.0/24" in routes(world)
    assert both_up(endpoint)
    endpoint.kill()
    endpoint.start()
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up after a restart")
    assert "203.0.113.0/24" in routes(world)
    assert endpoint.status()["config_version"] == 1


def test_a_pushed_mistake_is_refused_and_nothing_changes(running: Running) -> None:
    world, endpoint, *_ = running
    before = routes(world)
    for config, part in (
        ({"tunnel": {"routes": ["not a network"]}}, "tunnel.routes"),
        ({"tunnel": {"tun_ipv4": "10.10.100.9"}}, "tunnel.tun_ipv4: is not pushed"),
        ({"tunnel": {"routes": ["0.0.0.0/0"]}}, "outside of push.routes_within"),
        ({"tunnel": {"routes": ["192.0.2.0/30"]}}, "192.0.2.0/30, which up0 is connected to"),
        ({"tunnel": {"a\nERROR fake": 1}}, r"tunnel.a\nERROR fake: a key must not hold control"),
    ):
        answer = endpoint.command("apply_config", version=2, config=config)
        assert part in answer["error"]
    assert routes(world) == before
    assert endpoint.status()["config_version"] == 0
    assert "control characters" in endpoint.status()["config_error"]
    assert "\nERROR fake" not in endpoint.log
    assert world.ping(BUSINESS[0])


def test_a_push_reaches_the_companion_too(running: Running) -> None:
    """What only the companion reads, such as whether the load balancer is asked."""
    _, endpoint, *_ = running
    asked = "no decision from the load balancer"
    wait_until(lambda: asked in endpoint.log, 15, "the companion asks")
    for version, use in ((1, False), (2, True)):
        before = endpoint.log.count(asked)
        config = {"load_balancer": {"use": use}, "endpoint": {"log_level": "debug"}}
        answer = endpoint.command("apply_config", version=version, config=config)
        assert answer == {"error": None}
        if use:
            wait_until(lambda n=before: endpoint.log.count(asked) > n, 15, "it asks again")
    assert "DEBUG" in endpoint.log


def test_routers_are_chosen_by_a_push(running: Running) -> None:
    world, endpoint, *_ = running
    one = {"routers": [{"router_id": "router_b"}]}
    assert endpoint.command("apply_config", version=1, config=one) == {"error": None}
    wait_until(lambda: [*endpoint.tunnels()] == ["router_b"], 10, "one tunnel is left")
    assert world.ping(BUSINESS[0])


def test_what_the_file_does_not_allow_any_more_is_left_out_by_a_reload(running: Running) -> None:
    """So whoever finds a bad push takes it back at the host, the controller's word or not."""
    world, endpoint, *_ = running
    wanted = {"tunnel": {"routes": ["203.0.113.0/24"]}}
    assert endpoint.command("apply_config", version=1, config=wanted) == {"error": None}
    endpoint.write({**endpoint.config, "push": {}})
    endpoint.signal(signal.SIGHUP)
    wait_until(lambda: "203.0.113.0/24" not in routes(world), 10, "the file alone is in force")
    assert "the pushed configuration is left out" in endpoint.log
    assert endpoint.status()["config_version"] == 0
    assert "198.51.100.0/24" in routes(world)
