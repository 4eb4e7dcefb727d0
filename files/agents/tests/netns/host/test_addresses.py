"""The endpoint's own addresses and uplinks change while packets flow."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import both_up
from tests.netns.faults import other_than
from tests.netns.timed.test_failover import MOST_LOST, PINGS_A_SECOND, active_of, lost, start_ping
from tests.netns.world import BUSINESS, UNDERLAY4, UNDERLAY6, UPLINK, Agent, World

UNDERLAY = {4: UNDERLAY4, 6: UNDERLAY6}
BITS = {4: 30, 6: 64}
SPARE = "up2"
NEW = {"router_a": "2001:db8:a::77", "router_b": "2001:db8:b::77"}


def begin(world: World, underlay: int = 6, *, bound: bool = True) -> Agent:
    """An endpoint with both tunnels up; where `bound`, each leaves from the address stated."""
    for name in UNDERLAY6:
        world.router(name)
    routers = [
        {"router_id": name, "external_ip": far, **({"bind_address": near} if bound else {})}
        for name, (near, far) in UNDERLAY[underlay].items()
    ]
    endpoint = world.endpoint(routers=routers, tunnel={"keepalive_interval": 1.0})
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    return endpoint


def wait_for_pings(endpoint: Agent) -> None:
    before = endpoint.status()["figures"]["rx_packets"]
    wait_until(lambda: endpoint.status()["figures"]["rx_packets"] > before + 20, 10, "pings flow")


@pytest.mark.parametrize("underlay", [4, 6])
def test_traffic_leaves_an_uplink_that_loses_its_address(world: World, underlay: int) -> None:
    endpoint = begin(world, underlay)
    left = active_of(endpoint)
    own = f"{UNDERLAY[underlay][left][0]}/{BITS[underlay]}"
    ping = start_ping(world, 2 * PINGS_A_SECOND)
    wait_for_pings(endpoint)
    world.ip("endpoint", "addr", "del", own, "dev", UPLINK[left])
    assert lost(ping) <= MOST_LOST
    assert active_of(endpoint) == other_than(left)
    assert not endpoint.tunnels()[left]["up"]
    world.address("endpoint", UPLINK[left], own)
    wait_until(lambda: both_up(endpoint), 10, "both tunnels up again")


def make_anew(world: World, left: str) -> None:
    """The uplink is unplugged, and another has its name and address."""
    near, far = UNDERLAY6[left]
    world.ip("endpoint", "link", "del", UPLINK[left])
    world.link(("endpoint", UPLINK[left]), (left, "wan0"))
    world.address("endpoint", UPLINK[left], f"{near}/64")
    world.address(left, "wan0", f"{far}/64")


def move_to_another(world: World, left: str) -> None:
    """The same address, at another interface."""
    near, far = UNDERLAY6[left]
    world.ip("endpoint", "addr", "del", f"{near}/64", "dev", UPLINK[left])
    world.ip(left, "addr", "del", f"{far}/64", "dev", "wan0")
    world.link(("endpoint", SPARE), (left, "wan1"))
    world.address("endpoint", SPARE, f"{near}/64")
    world.address(left, "wan1", f"{far}/64")


@pytest.mark.parametrize("change", [make_anew, move_to_another])
def test_a_tunnel_follows_its_address_to_another_interface(
    world: World, change: Callable[[World, str], None]
) -> None:
    endpoint = begin(world)
    left = active_of(endpoint)
    ping = start_ping(world, 2 * PINGS_A_SECOND)
    wait_for_pings(endpoint)
    change(world, left)
    assert lost(ping) <= MOST_LOST
    wait_until(lambda: both_up(endpoint), 10, "both tunnels up again")
    world.blackhole(other_than(left))
    wait_until(lambda: active_of(endpoint) == left, 10, "traffic comes back")
    assert world.ping(BUSINESS[0])


def test_traffic_goes_on_where_the_uplink_has_another_address_and_none_is_stated(
    world: World,
) -> None:
    endpoint = begin(world, bound=False)
    active = active_of(endpoint)
    ping = start_ping(world, 2 * PINGS_A_SECOND)
    wait_for_pings(endpoint)
    world.address("endpoint", UPLINK[active], f"{NEW[active]}/64")
    own = f"{UNDERLAY6[active][0]}/64"
    world.ip("endpoint", "addr", "del", own, "dev", UPLINK[active])
    assert lost(ping) <= MOST_LOST
    wait_until(lambda: f"{active} leaves from {NEW[active]} now" in endpoint.log, 5, "it has moved")
    wait_until(lambda: both_up(endpoint), 10, "both tunnels up")
