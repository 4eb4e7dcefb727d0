"""A router fails while nothing flows: the keepalive finds out, and the next packet gets through."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from testbed.wait import wait_until

from nrs.endpoint.machine import BUSY_S
from tests.netns.conftest import Routers, both_up
from tests.netns.faults import BLACKHOLE, KILL, Fault, other_than
from tests.netns.timed.test_failover import active_of
from tests.netns.transfer import Echo, udp_client
from tests.netns.world import BUSINESS, Agent, World

KEEPALIVE_S = 1.0
TIMEOUT_S = 3 * KEEPALIVE_S
"""A tunnel that nothing was heard of for so long is down."""
SLACK_S = 2.0
"""For a busy machine; what the keepalive takes is about 1.6 s."""


@pytest.fixture
def echo(world: World) -> Iterator[Echo]:
    with Echo(world, BUSINESS[0]) as server:
        yield server


def begin(world: World, echo: Echo, **tunnel: float) -> Agent:
    """An endpoint with both tunnels up, over which packets have passed."""
    endpoint = world.endpoint(tunnel=tunnel)
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    assert one_packet_returns(world, echo)
    return endpoint


def one_packet_returns(world: World, echo: Echo) -> bool:
    """Whether a single datagram comes back; nobody but the tunnel sends it again."""
    with closing(udp_client(world, echo.name)) as client:
        client.settimeout(3)
        client.send(b"the first")
        try:
            return client.recv(100) == b"the first"
        except TimeoutError:
            return False


def fall_idle() -> None:
    time.sleep(1.5 * BUSY_S)


@pytest.mark.parametrize("fault", [BLACKHOLE, KILL], ids=str)
def test_a_fault_while_idle_is_noticed_within_the_keepalive_timeout(
    world: World, routers: Routers, echo: Echo, fault: Fault
) -> None:
    endpoint = begin(world, echo, keepalive_interval=KEEPALIVE_S)
    active = active_of(endpoint)
    standby = other_than(active)

    fall_idle()
    fault.begin(world, routers[standby])
    wait_until(
        lambda: not endpoint.tunnels()[standby]["up"], TIMEOUT_S + SLACK_S, "the standby is missed"
    )
    assert active_of(endpoint) == active
    assert one_packet_returns(world, echo)
    fault.end(world, routers[standby])
    wait_until(lambda: both_up(endpoint), 10, "both tunnels up again")

    fall_idle()
    fault.begin(world, routers[active])
    wait_until(lambda: active_of(endpoint) == standby, TIMEOUT_S + SLACK_S, "the endpoint moves")
    assert one_packet_returns(world, echo)
    fault.end(world, routers[active])
    wait_until(lambda: both_up(endpoint), 10, "both tunnels up again")


def test_the_first_packet_finds_out_where_the_keepalive_has_not_yet(
    world: World, routers: Routers, echo: Echo
) -> None:
    endpoint = begin(world, echo)
    for fault in (BLACKHOLE, KILL):
        fall_idle()
        active = active_of(endpoint)
        fault.begin(world, routers[active])
        assert one_packet_returns(world, echo)
        assert active_of(endpoint) == other_than(active)
        fault.end(world, routers[active])
        wait_until(lambda: both_up(endpoint), 10, "both tunnels up again")
