"""What an endpoint and its connections see of a router that is useless, or is being drained."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from testbed.wait import wait_until

from nrs.router.announcement import BUSY_S
from tests.netns.conftest import both_up
from tests.netns.timed.test_drain import error_of
from tests.netns.timed.test_failover import PINGS_A_SECOND, active_of, lost, start_ping
from tests.netns.timed.test_planned_moves import EGRESS, Connections, echo
from tests.netns.transfer import Echo, udp_client
from tests.netns.world import BUSINESS, Agent, World

Routers = dict[str, Agent]
Running = tuple[World, Agent, Routers]
SILENCE = (
    "add table inet silence;"
    "add chain inet silence i { type filter hook prerouting priority -400; };"
    "add rule inet silence i iifname egress0 ip protocol icmp drop;"
    "add rule inet silence i iifname egress0 ip protocol tcp drop"
)


@pytest.fixture
def checked(world: World) -> Running:
    """Two routers that ask the business server, and an endpoint with both tunnels up."""
    routers = {
        name: world.router(name, egress={"check_ip": BUSINESS[0]})
        for name in ("router_a", "router_b")
    }
    endpoint = world.endpoint()
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    return world, endpoint, routers


@pytest.mark.parametrize("fault", ["link", "silence"])
def test_traffic_leaves_a_router_without_a_way_on_and_what_went_nowhere_is_sent_again(
    checked: Running, fault: str
) -> None:
    world, endpoint, routers = checked
    before = active_of(endpoint)
    ping = start_ping(world, 5 * PINGS_A_SECOND)
    wait_until(lambda: endpoint.status()["figures"]["rx_packets"] > 50, 10, "pings flow")
    if fault == "link":
        world.ip(before, "link", "set", "egress0", "down")
    else:
        world.exec(before, "nft", SILENCE)
    assert lost(ping) <= 0.2 * PINGS_A_SECOND  # a silence takes 0.6 s at least to be noticed
    assert active_of(endpoint) != before
    assert endpoint.tunnels()[before]["up"]
    assert routers[before].status()["egress_up"] is False
    if fault == "link":
        world.ip(before, "link", "set", "egress0", "up")
    else:
        world.exec(before, "nft", "delete table inet silence")
    wait_until(lambda: routers[before].status()["egress_up"], 5, "it is of use again")


def test_a_lost_carrier_is_noticed_while_other_links_change(checked: Running) -> None:
    """The kernel holds its word back for up to a second then: for real links, and where both ends
    of a veth have the same index, as router_a's egress has."""
    world, endpoint, routers = checked
    world.link(("router_b", "other0"), ("endpoint", "other1"), index=70)
    ends = [(host, name) for host, name in (("router_a", "egress0"), ("business", "r1"))]
    index = {world.netns(h).ip_json("link", "show", n)[0]["ifindex"] for h, n in ends}
    assert len(index) == 1
    endpoint.command("advise", router_id="router_a")
    wait_until(lambda: active_of(endpoint) == "router_a", 5, "the advice is taken")
    ping = start_ping(world, 4 * PINGS_A_SECOND)
    before = endpoint.status()["figures"]["rx_packets"]
    # More than a second, so that what changes next is told at once, and what follows it is not.
    enough = before + 1.3 * PINGS_A_SECOND
    wait_until(lambda: endpoint.status()["figures"]["rx_packets"] > enough, 10, "pings flow")
    world.ip("endpoint", "link", "set", "other1", "down")
    world.ip("business", "link", "set", "r1", "down")
    assert lost(ping) <= 0.25 * PINGS_A_SECOND
    assert routers["router_a"].status()["egress_reason"] == "egress0 has no carrier"
    world.ip("business", "link", "set", "r1", "up")
    wait_until(lambda: routers["router_a"].status()["egress_up"], 5, "it is of use again")


def test_an_idle_endpoint_hears_of_it_before_its_next_keepalive(checked: Running) -> None:
    world, endpoint, _ = checked
    before = active_of(endpoint)
    time.sleep(2 * BUSY_S)  # nothing flows any more
    world.ip(before, "link", "set", "egress0", "down")
    wait_until(lambda: active_of(endpoint) != before, 3, "the endpoint has heard of it")
    assert world.ping(BUSINESS[0], 1)


def test_a_business_server_that_is_down_moves_nobody_to_and_fro(checked: Running) -> None:
    world, endpoint, routers = checked
    ping = start_ping(world, 3 * PINGS_A_SECOND)
    for name in routers:
        world.exec(name, "nft", SILENCE)
    for router in routers.values():
        wait_until(lambda r=router: r.status()["egress_up"] is False, 5, "it is noticed")
    lost(ping)
    for name in routers:
        world.exec(name, "nft", "delete table inet silence")
    assert world.ping(BUSINESS[0])
    # To the first tunnel, and at most once more: one router notices before the other.
    assert endpoint.log.count("traffic moves") <= 2


@pytest.fixture(params=BUSINESS)
def connections(checked: Running, request: pytest.FixtureRequest) -> Iterator[Connections]:
    with ExitStack() as opened:
        yield Connections(checked[0], request.param, opened)


def test_a_drain_breaks_nothing_before_its_deadline(
    checked: Running, connections: Connections
) -> None:
    _, endpoint, routers = checked
    before = active_of(endpoint)
    (other,) = routers.keys() - {before}
    old, idle = connections.make(), connections.make()
    family = old[0].family
    assert old[2] == EGRESS[before][family]
    routers[before].command("drain", deadline=300)
    echo(*old[:2])
    wait_until(lambda: active_of(endpoint) == other, 5, "the endpoint has heard of it")
    new = connections.make()
    assert new[2] == EGRESS[other][family]
    for _ in range(3):
        echo(*old[:2])
        echo(*new[:2])
    routers[before].command("drain", deadline=0)
    assert error_of(old[0]) == errno.ECONNRESET
    assert error_of(idle[1]) == errno.ECONNRESET
    echo(*new[:2])


def test_after_the_deadline_all_that_is_left_goes_elsewhere_or_ends(
    checked: Running, connections: Connections
) -> None:
    world, endpoint, routers = checked
    left = active_of(endpoint)
    near, far, _ = connections.make()
    echo(near, far)
    with Echo(world, BUSINESS[0]) as server, closing(udp_client(world, server.name)) as client:
        assert returned(client)
        routers[left].command("drain", deadline=1)
        wait_until(lambda: active_of(endpoint) != left, 5, "the endpoint has heard of it")
        assert returned(client)
        near.settimeout(10)
        with pytest.raises(ConnectionResetError):
            near.recv(1)  # a client that waits, and sends nothing
        wait_until(lambda: returned(client), 3, "datagrams of the old flow pass again")


def returned(client: socket.socket) -> bool:
    client.settimeout(0.5)
    try:
        client.send(b"echo")
        return client.recv(100) == b"echo"
    except OSError:
        return False


def test_an_endpoint_comes_back_when_the_drain_is_over(checked: Running) -> None:
    world, endpoint, routers = checked
    before = active_of(endpoint)
    (other,) = routers.keys() - {before}
    routers[before].command("drain", deadline=0)
    world.ping(BUSINESS[0])
    wait_until(lambda: active_of(endpoint) == other, 12, "the endpoint has heard of it")
    assert world.ping(BUSINESS[0])
    routers[before].command("undrain")
    routers[other].command("drain", deadline=0)
    world.ping(BUSINESS[0])
    wait_until(lambda: active_of(endpoint) == before, 12, "the endpoint has heard of it")
    assert world.ping(BUSINESS[0])
