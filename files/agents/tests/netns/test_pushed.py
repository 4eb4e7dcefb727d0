"""Configuration from the controller: applied, kept over a restart, refused as a whole."""

from __future__ import annotations

from testbed.wait import wait_until

from tests.netns.conftest import both_up
from tests.netns.world import BUSINESS, Agent, World

Running = tuple[World, Agent, Agent, Agent]


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
        ({"tunnel": {"tun_ipv4": "10.10.100.9"}}, "takes a restart"),
        ({"tunnel": {"unheard_of": 1}}, "unknown key"),
    ):
        answer = endpoint.command("apply_config", version=2, config=config)
        assert part in answer["error"]
    assert routes(world) == before
    assert endpoint.status()["config_version"] == 0
    assert "unknown key" in endpoint.status()["config_error"]
    assert world.ping(BUSINESS[0])


def test_a_push_reaches_the_companion_too(running: Running) -> None:
    """What only the companion reads, such as the load balancer's URL, needs a new one."""
    _, endpoint, *_ = running
    answer = endpoint.command(
        "apply_config", version=1, config={"load_balancer": {"url": "http://127.0.0.1:18080"}}
    )
    assert answer == {"error": None}
    wait_until(lambda: "127.0.0.1:18080" in endpoint.log, 15, "the companion asks the new URL")
