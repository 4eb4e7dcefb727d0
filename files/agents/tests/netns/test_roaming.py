"""An endpoint whose address or port changes keeps its session; nobody else can move it."""

from __future__ import annotations

import re
import socket

import pytest
from testbed.wait import wait_until

from nrs.tunnel.wire import Type, first_byte
from tests.netns.capture import Capture
from tests.netns.conftest import is_up, one_router
from tests.netns.timed.test_failover import lost, start_ping
from tests.netns.transfer import family_of
from tests.netns.world import BUSINESS, UNDERLAY4, UNDERLAY6, UPLINK, Agent, World

PORT = 51820
UP = UPLINK["router_a"]
ELSEWHERE = {4: ("192.0.2.77", "192.0.2.78"), 6: ("2001:db8:a::77", "2001:db8:a::78")}
DATA, HELLO = (f"udp dport {PORT} @th,64,8 {first_byte(kind)}" for kind in (Type.DATA, Type.HELLO))


def own_address(underlay: int) -> str:
    return (UNDERLAY4 if underlay == 4 else UNDERLAY6)["router_a"][0]


def seen_from(router: Agent) -> tuple[str, int]:
    """The endpoint's address and port as the router knows them."""
    host, _, port = router.tunnels()["endpoint_1"]["address"].rpartition(":")
    return host.strip("[]"), int(port)


def have_addresses(world: World, underlay: int) -> None:
    """Let the endpoint have the addresses ELSEWHERE too, and the router know where they are."""
    for address in ELSEWHERE[underlay]:
        bits = 32 if underlay == 4 else 128
        world.address("endpoint", UP, f"{address}/{bits}")
        world.ip("router_a", "route", "add", address, "via", own_address(underlay))


def translate(world: World, underlay: int, own_port: int, address: str, port: int) -> None:
    """From now on the tunnel comes from this address and port, as behind a NAT that moves it."""
    ip, own = "ip" if underlay == 4 else "ip6", own_address(underlay)
    world.exec(
        "endpoint",
        "nft",
        "add table inet roam;"
        "delete table inet roam;"
        "add table inet roam;"
        "add chain inet roam out { type filter hook postrouting priority 300; };"
        "add chain inet roam in { type filter hook prerouting priority -400; };"
        f"add rule inet roam out udp dport {PORT} {ip} saddr set {address} udp sport set {port};"
        f"add rule inet roam in udp sport {PORT} {ip} daddr {address} {ip} daddr set {own}"
        f" udp dport set {own_port}",
    )


def watch_hellos(world: World) -> None:
    world.exec(
        "router_a",
        "nft",
        "add table inet watch;"
        "add chain inet watch in { type filter hook prerouting priority -400; };"
        f"add rule inet watch in {HELLO} counter",
    )


def hellos(world: World) -> int:
    listing = world.exec("router_a", "nft", "list", "table", "inet", "watch")
    match = re.search(r"counter packets (\d+)", listing)
    assert match, listing
    return int(match[1])


@pytest.mark.parametrize(
    ("codec", "underlay"), [("c", 4), ("c", 6), ("python", 4), ("python", 6)], indirect=["codec"]
)
def test_a_session_follows_its_endpoint_to_another_address_and_port(
    world: World, codec: str, underlay: int
) -> None:
    have_addresses(world, underlay)
    router, endpoint = one_router(world, underlay=underlay)
    assert world.ping(BUSINESS[0])
    host, port = seen_from(router)
    assert host == own_address(underlay)
    watch_hellos(world)
    since = router.tunnels()["endpoint_1"]["since"]
    ping = start_ping(world, 200)
    first, second = ELSEWHERE[underlay]
    for place in ((first, 4001), (first, 4002), (second, 4002)):
        wait_until(lambda: endpoint.status()["figures"]["rx_packets"] > 0, 5, "pings flow")
        translate(world, underlay, port, *place)
        wait_until(lambda place=place: seen_from(router) == place, 2, f"the session at {place}")
    assert lost(ping) <= 5
    assert hellos(world) == 0
    assert router.tunnels()["endpoint_1"]["since"] == since
    assert not any(router.status()["figures"]["drops"].values())


def hold(world: World, which: str) -> None:
    """Let the router not get these packets from now on."""
    world.exec(
        "router_a",
        "nft",
        "add table inet hold;"
        "add chain inet hold in { type filter hook prerouting priority -400; };"
        f"add rule inet hold in {which} drop",
    )


def release(world: World) -> None:
    """Undo `hold`."""
    world.exec("router_a", "nft", "delete table inet hold")


def test_a_datagram_from_elsewhere_that_is_old_does_not_move_the_session(
    world: World, codec: str
) -> None:
    """One that is delayed is taken, one that is repeated is not; neither moves the session."""
    have_addresses(world, 6)
    router, _ = one_router(world)
    assert world.ping(BUSINESS[0])
    place = seen_from(router)
    hold(world, DATA)
    with Capture(world, "router_a", "wan0") as capture:
        world.exec("endpoint", "ping", "-c", "1", "-W", "0.2", BUSINESS[0], check=False)
        held = [
            seen.payload[8:]
            for seen in capture.packets()
            if not seen.outgoing and seen.payload[8] == first_byte(Type.DATA)
        ]
    assert len(held) == 1
    release(world)
    assert world.ping(BUSINESS[0])

    # Or else the endpoint's own next datagram would move the session back.
    hold(world, f"ip6 saddr {own_address(6)} udp dport {PORT}")
    figures = router.status()["figures"]
    with world.socket("endpoint", family_of(ELSEWHERE[6][0]), socket.SOCK_DGRAM) as elsewhere:
        elsewhere.bind((ELSEWHERE[6][0], 0))
        elsewhere.sendto(held[0], (UNDERLAY6["router_a"][1], PORT))
        wait_until(
            lambda: router.status()["figures"]["rx_packets"] == figures["rx_packets"] + 1,
            2,
            "the delayed datagram's packet",
        )
        assert seen_from(router) == place
        elsewhere.sendto(held[0], (UNDERLAY6["router_a"][1], PORT))
        wait_until(
            lambda: router.status()["figures"]["drops"]["replay"] == figures["drops"]["replay"] + 1,
            2,
            "the repeated datagram is dropped",
        )
    assert seen_from(router) == place
    release(world)
    assert world.ping(BUSINESS[0])


def test_an_endpoint_without_a_fixed_address_leaves_from_its_new_one(
    world: World, codec: str
) -> None:
    """A socket keeps the address that it was connected from, even one that is gone."""
    router = world.router("router_a")
    far = UNDERLAY6["router_a"][1]
    endpoint = world.endpoint(routers=[{"router_id": "router_a", "external_ip": far}])
    wait_until(lambda: is_up(endpoint), 20, "tunnel up")
    assert world.ping(BUSINESS[0])
    world.address("endpoint", UP, f"{ELSEWHERE[6][0]}/64")
    world.ip("endpoint", "addr", "del", f"{own_address(6)}/64", "dev", UP)
    wait_until(lambda: seen_from(router)[0] == ELSEWHERE[6][0], 5, "the session has moved")
    assert world.ping(BUSINESS[0])
    assert is_up(endpoint)
