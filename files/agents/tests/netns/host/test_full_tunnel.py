"""Everything goes through the tunnel but the tunnel itself, APIs and what is excluded."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import both_up
from tests.netns.host_network import FAR, dump, routers_behind_gateways, set_rp_filter
from tests.netns.world import BUSINESS, UNDERLAY4, UNDERLAY6, Agent, World

BOTH = ["0.0.0.0/0", "::/0"]
HALVES = ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"]
SERVER = "203.0.113.9"
"""Behind the default route, where there are APIs and a resolver."""


def started(
    world: World, family: int, names: tuple[str, ...], routes: list[str], *, bound: bool = True
) -> Agent:
    """An endpoint with tunnels to FAR addresses, all up."""
    near = UNDERLAY4 if family == 4 else UNDERLAY6
    routers = []
    for name in names:
        entry = {"router_id": name, "external_ip": FAR[name][family == 6]}
        routers.append(entry | ({"bind_address": near[name][0]} if bound else {}))
    endpoint = world.endpoint(routers=routers, tunnel={"routes": routes})
    wait_until(
        lambda: [t["up"] for t in endpoint.tunnels().values()] == [True] * len(names), 20, "all up"
    )
    return endpoint


@pytest.mark.parametrize("routes", [BOTH, HALVES], ids=["defaults", "halves"])
@pytest.mark.parametrize("uplinks", [1, 2])
@pytest.mark.parametrize("family", [4, 6])
def test_everything_goes_through_the_tunnel(
    world: World, family: int, uplinks: int, routes: list[str]
) -> None:
    names = ("router_a", "router_b")[:uplinks]
    routers_behind_gateways(world, *names)
    set_rp_filter(world, 1)
    for name in names:
        world.router(name)
    before = dump(world)
    endpoint = started(world, family, names, routes)
    for address in BUSINESS:
        assert "dev tun0" in world.ip("endpoint", "route", "get", address)
        assert world.ping(address, 20)
    for name in names:
        assert endpoint.tunnels()[name]["up"]
        assert "dev tun0" not in world.ip("endpoint", "route", "get", FAR[name][family == 6])
    active = next(name for name, tunnel in endpoint.tunnels().items() if tunnel["active"])
    if uplinks == 2:
        world.blackhole(active)
        wait_until(lambda: not endpoint.tunnels()[active]["active"], 20, "traffic moves")
        assert world.ping(BUSINESS[0])
    assert endpoint.stop() == 0
    wait_until(lambda: dump(world) == before, 5, "the host is as it was")


@pytest.mark.parametrize("family", [4, 6])
def test_tunnels_that_are_bound_to_no_address_stay_outside_too(world: World, family: int) -> None:
    routers_behind_gateways(world, "router_a")
    set_rp_filter(world, 1)
    world.router("router_a")
    endpoint = started(world, family, ("router_a",), BOTH, bound=False)
    assert world.ping(BUSINESS[0])
    option = "-4" if family == 4 else "-6"
    world.ip("endpoint", option, "route", "del", "default")
    sent = endpoint.status()["figures"]["tx_datagrams"]
    world.exec("endpoint", "ping", "-c", "3", "-i", "0.1", "-W", "1", BUSINESS[0], check=False)
    # Without a way to the router nothing runs through itself.
    assert endpoint.status()["figures"]["tx_datagrams"] - sent < 100
    gateway = {"-4": "192.0.2.2", "-6": "2001:db8:a::2"}[option]
    world.ip("endpoint", option, "route", "add", "default", "via", gateway)
    wait_until(lambda: endpoint.tunnels()["router_a"]["up"], 20, "the tunnel is back")
    assert world.ping(BUSINESS[0])


def test_what_is_excluded_stays_outside(world: World) -> None:
    routers_behind_gateways(world, "router_a")
    world.router("router_a")
    endpoint = started(world, 4, ("router_a",), BOTH)
    config = endpoint.config
    config["tunnel"]["exclude"] = ["203.0.113.64/26", "2001:db8:e::/48"]
    endpoint.write(config)
    before = dump(world)
    endpoint.signal(1)
    wait_until(lambda: "configuration reloaded" in endpoint.log, 10, "reloaded")
    assert "via 192.0.2.2" in world.ip("endpoint", "route", "get", "203.0.113.70")
    assert "via 2001:db8:a::2" in world.ip("endpoint", "route", "get", "2001:db8:e::1")
    assert "dev tun0" in world.ip("endpoint", "route", "get", "203.0.113.7")
    assert world.ping(BUSINESS[0])
    del config["tunnel"]["exclude"]
    endpoint.write(config)
    endpoint.signal(1)
    wait_until(lambda: dump(world) == before, 10, "as before")


@contextmanager
def serving(sock: socket.socket) -> Iterator[list[str]]:
    """Answers every TCP client with 503; who they were."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((SERVER, 8080))
    sock.listen(8)
    sock.settimeout(0.2)
    clients: list[str] = []
    ending = threading.Event()

    def serve() -> None:
        while not ending.is_set():
            try:
                client, (address, _) = sock.accept()
            except TimeoutError:
                continue
            clients.append(address)
            with client:
                client.recv(4096)
                client.sendall(b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\n{}")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield clients
    finally:
        ending.set()
        thread.join()
        sock.close()


@contextmanager
def resolving(sock: socket.socket) -> Iterator[list[str]]:
    """Answers every question for an A record with SERVER; who has asked."""
    sock.bind((SERVER, 53))
    sock.settimeout(0.2)
    clients: list[str] = []
    ending = threading.Event()

    def serve() -> None:
        while not ending.is_set():
            try:
                question, client = sock.recvfrom(512)
            except TimeoutError:
                continue
            clients.append(client[0])
            end = question.index(b"\0", 12) + 5
            kind = struct.unpack_from("!H", question, end - 4)[0]
            count = 1 if kind == 1 else 0
            head = question[:2] + struct.pack("!HHHHH", 0x8180, 1, count, 0, 0)
            record = struct.pack("!HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton(SERVER)
            sock.sendto(head + question[12:end] + record * count, client)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield clients
    finally:
        ending.set()
        thread.join()
        sock.close()


@pytest.mark.parametrize("host", [SERVER, "balancer.example"])
def test_apis_and_resolvers_are_asked_outside(world: World, host: str, tmp_path: Path) -> None:
    routers_behind_gateways(world, "router_a")
    set_rp_filter(world, 1)
    world.address("router_a", "lo", f"{SERVER}/32")
    resolver = tmp_path / "resolv.conf"
    resolver.write_text(f"nameserver {SERVER}\n", encoding="ascii")
    world.wrapper = (
        *("unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"'),
        str(resolver),
    )
    world.router("router_a")
    with (
        serving(world.socket("router_a", socket.AF_INET, socket.SOCK_STREAM)) as clients,
        resolving(world.socket("router_a", socket.AF_INET, socket.SOCK_DGRAM)) as asked,
    ):
        endpoint = world.endpoint(
            routers=[{"router_id": "router_a", "external_ip": FAR["router_a"][0]}],
            tunnel={"routes": BOTH},
            load_balancer={"url": f"http://{host}:8080", "poll_interval": 0.2},
        )
        wait_until(lambda: endpoint.tunnels().get("router_a", {}).get("up"), 20, "tunnel up")
        count = len(clients)
        wait_until(lambda: len(clients) > count + 3, 20, "the API is asked")
        assert set(clients) == {"192.0.2.1"}
        if host != SERVER:
            assert set(asked) == {"192.0.2.1"}
        assert world.ping(BUSINESS[0])
        # Its process has mounted a file of its own over the resolver's.
        endpoint.stop()


def test_without_names_the_resolver_of_the_host_is_reached_through_the_tunnel(world: World) -> None:
    routers_behind_gateways(world, "router_a")
    world.router("router_a")
    started(world, 4, ("router_a",), BOTH)
    assert "dev tun0" in world.ip("endpoint", "route", "get", SERVER)


def test_both_families_fail_over(world: World) -> None:
    """The world's own links, whose routers are neighbours and no default route is needed."""
    for name in ("router_a", "router_b"):
        world.router(name)
    endpoint = world.endpoint(tunnel={"routes": BOTH})
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    for address in BUSINESS:
        assert world.ping(address)
