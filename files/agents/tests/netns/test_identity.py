"""Two devices with one identity or one tunnel address, and one that only comes back."""

from __future__ import annotations

import re

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import is_up, one_router
from tests.netns.timed.test_failover import lost, start_ping
from tests.netns.world import BUSINESS, ENDPOINT_TUN, UNDERLAY6, UPLINK, Agent, World

SECOND = ("2001:db8:c::1", "2001:db8:c::2")
"""Where a second device is, and where it finds router_a."""
TWO = re.compile(r"two devices say that they .*: the one at (\S+) .*is kept, the one at (\S+) ")


def second_device(world: World, **changes: object) -> Agent:
    """Another host with an uplink to router_a, and an endpoint on it: by default a clone."""
    world.host("second")
    world.link(("second", "up0"), ("router_a", "wan9"))
    world.address("second", "up0", f"{SECOND[0]}/64")
    world.address("router_a", "wan9", f"{SECOND[1]}/64")
    router = {"router_id": "router_a", "external_ip": SECOND[1], "bind_address": SECOND[0]}
    return world.endpoint(host="second", routers=[router], **changes)


def refused(router: Agent) -> int:
    return int(router.status()["second_devices_refused"])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"endpoint": {"endpoint_id": "endpoint_2"}},
        {"endpoint": {"endpoint_id": "endpoint_2"}, "tunnel": {"tun_ipv6": "fd00:10:100::2"}},
    ],
    ids=["a clone", "both addresses given twice", "one address given twice"],
)
def test_the_first_device_is_kept(world: World, changes: dict[str, object]) -> None:
    router, first = one_router(world)
    assert world.ping(BUSINESS[0])
    second = second_device(world, **changes)
    wait_until(lambda: refused(router) >= 3, 20, "the second one is refused, and again")
    ping = start_ping(world, 300)
    before = refused(router)
    assert lost(ping) == 0
    assert refused(router) > before, "it has tried all the time"
    assert is_up(first)
    (kept,) = router.tunnels().values()
    assert kept["contested"]
    found = TWO.findall(router.log)
    assert len(found) == 1, "once a minute"
    assert found[0][0] == kept["address"]
    assert found[0][0].startswith(f"[{UNDERLAY6['router_a'][0]}]")
    assert found[0][1].startswith(f"[{SECOND[0]}]")
    # It comes to its place when the first one leaves it without a word.
    first.kill()
    wait_until(lambda: is_up(second), 10, "the second one is up")
    tunnels = router.tunnels()
    wait_until(
        lambda: (
            [t["address"].startswith(f"[{SECOND[0]}]") for t in router.tunnels().values()] == [True]
        ),
        10,
        f"the second one alone, not {tunnels}",
    )


def test_a_reboot_at_another_address_neither_waits_nor_warns(world: World) -> None:
    router, endpoint = one_router(world)
    assert world.ping(BUSINESS[0])
    for number in range(3):
        endpoint.kill()
        address = f"2001:db8:a::{100 + number}"
        world.address("endpoint", UPLINK["router_a"], f"{address}/64")
        (entry,) = endpoint.config["routers"]
        endpoint.write({**endpoint.config, "routers": [{**entry, "bind_address": address}]})
        endpoint.start()
        wait_until(lambda: is_up(endpoint), 10, "the tunnel is up again")
        # At once: the session before it is not heard for another 30 s.
        assert world.ping(BUSINESS[0], count=1)
        assert router.tunnels()["endpoint_1"]["address"].startswith(f"[{address}]")
    assert refused(router) == 0
    assert router.status()["figures"]["drops"]["source"] == 0
    assert "WARNING nrs.router.endpoints" not in router.log


def test_nobody_is_taken_for_a_second_device_by_a_restart_or_a_silence(world: World) -> None:
    world.managed = True
    router, endpoint = one_router(world)
    for _ in range(3):
        endpoint.restart()
        wait_until(lambda: is_up(endpoint), 10, "the tunnel is up again")
        assert world.ping(BUSINESS[0])
    ping = start_ping(world, 500)
    world.blackhole("router_a")
    wait_until(lambda: not is_up(endpoint), 10, "the silence is noticed")
    world.unblackhole("router_a")
    wait_until(lambda: is_up(endpoint), 10, "the tunnel is up again")
    lost(ping)
    assert refused(router) == 0
    assert "WARNING nrs.router.endpoints" not in router.log
    assert ENDPOINT_TUN[0] == router.tunnels()["endpoint_1"]["tun_ipv4"]
