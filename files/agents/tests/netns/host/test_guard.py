"""Around a router's TUN device everything is denied but the egress and echoes."""

from __future__ import annotations

import signal
import socket
from contextlib import closing

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import is_up
from tests.netns.transfer import family_of
from tests.netns.world import BUSINESS, ENDPOINT_TUN, ROUTER_TUN, UNDERLAY6, Agent, World
from tests.signing import Signing

PORT = 7000
API_PORT = 18080
TUNNELS = ["10.10.0.0/16", "fd00:10::/32"]
OWN_EGRESS = ("198.51.100.1", "2001:db8:100::1")
MANAGED = ("10.99.0.10", "fd99::10")
"""A host of the management network, which lies behind the egress."""
PROTECTED = ["10.99.0.0/24", "10.99.0.10/32", "fd99::/64"]
OFFICE = ("10.66.0.10", "fd66::10")
"""A host on another side of the router."""
OTHER_TUN = ("10.10.100.2", "fd00:10:100::2")
ANYWHERE = ["10.0.0.0/8", "198.51.100.0/24", "fd00::/8", "2001:db8:100::/64"]
SILENCE_S = 1.0
"""After which nothing is expected to come: within the namespaces it takes milliseconds."""
PATIENCE_S = 10.0


def build(world: World) -> None:
    world.host("office")
    world.link(("router_a", "lan0"), ("office", "up0"))
    world.host("other")
    world.link(("other", "up0"), ("router_a", "wan1"))
    for host, interface, address in (
        ("router_a", "lan0", "10.66.0.1/24"),
        ("router_a", "lan0", "fd66::1/64"),
        ("office", "up0", f"{OFFICE[0]}/24"),
        ("office", "up0", f"{OFFICE[1]}/64"),
        ("router_a", "egress0", "10.99.0.1/24"),
        ("router_a", "egress0", "fd99::1/64"),
        ("business", "br0", f"{MANAGED[0]}/24"),
        ("business", "br0", f"{MANAGED[1]}/64"),
        ("router_a", "wan1", "2001:db8:c::2/64"),
        ("other", "up0", "2001:db8:c::1/64"),
    ):
        world.address(host, interface, address)
    for network, gateway in (("10.10.0.0/16", "10.66.0.1"), ("fd00:10::/32", "fd66::1")):
        world.ip("office", "route", "add", network, "via", gateway)
    for network, gateway in (("10.10.0.0/16", "198.51.100.1"), ("fd00:10::/32", "2001:db8:100::1")):
        world.ip("business", "route", "add", network, "via", gateway)


def start(world: World, **tunnel: object) -> Agent:
    """router_a with `tunnel` in its file, and two endpoints with tunnels to it."""
    build(world)
    router = world.router("router_a", tunnel=tunnel)
    for host, near, far, own, name in (
        ("endpoint", *UNDERLAY6["router_a"], ENDPOINT_TUN, "endpoint_1"),
        ("other", "2001:db8:c::1", "2001:db8:c::2", OTHER_TUN, "endpoint_2"),
    ):
        entry = {"router_id": "router_a", "external_ip": far, "bind_address": near}
        endpoint = world.endpoint(
            host=host,
            endpoint={"endpoint_id": name, "name": name},
            routers=[entry],
            tunnel={"tun_ipv4": own[0], "tun_ipv6": own[1], "routes": ANYWHERE},
        )
        wait_until(lambda agent=endpoint: is_up(agent), 20, f"the tunnel of {name} is up")
    return router


def connects(
    world: World,
    address: str,
    at: str,
    *,
    origin: str = "endpoint",
    port: int = PORT,
    within: float = PATIENCE_S,
) -> bool:
    """Whether a TCP connection from `origin` gets to a socket at host `at`, both ways."""
    family = family_of(address)
    with (
        closing(world.socket(at, family, socket.SOCK_STREAM)) as server,
        closing(world.socket(origin, family, socket.SOCK_STREAM)) as client,
    ):
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        server.listen()
        client.settimeout(within)
        try:
            client.connect((address, port))
        except TimeoutError:
            return False
        client.sendall(b"?")
        with closing(server.accept()[0]) as taken:
            return taken.recv(1) == b"?"


def cut_off(
    world: World, address: str, at: str, *, origin: str = "endpoint", port: int = PORT
) -> bool:
    """Whether a TCP connection gets nowhere because router_a drops it."""
    before = denied(world)
    reached = connects(world, address, at, origin=origin, port=port, within=SILENCE_S)
    return not reached and denied(world) > before


def sends(world: World, address: str, at: str, within: float = PATIENCE_S) -> bool:
    """Whether a UDP datagram of the endpoint gets to a socket at host `at`."""
    family = family_of(address)
    with (
        closing(world.socket(at, family, socket.SOCK_DGRAM)) as server,
        closing(world.socket("endpoint", family, socket.SOCK_DGRAM)) as client,
    ):
        server.bind((address, PORT))
        server.settimeout(within)
        client.sendto(b"?", (address, PORT))
        try:
            return server.recv(1) == b"?"
        except TimeoutError:
            return False


def pings(world: World, address: str, origin: str = "endpoint", within: float = PATIENCE_S) -> bool:
    """Whether an echo comes back; it is sent again every second."""
    seconds = str(int(within))
    said = world.exec(origin, "ping", "-q", "-c", "1", "-w", seconds, address, check=False)
    return " 1 received" in said


def denied(world: World) -> int:
    """Packets that router_a has dropped by its rules around the TUN device."""
    words = world.exec("router_a", "nft", "list counter inet nrs_routing_server denied").split()
    return int(words[words.index("packets") + 1])


def take(router: Agent, **tunnel: object) -> None:
    """Have the router go by another file."""
    before = router.log.count("configuration reloaded")
    router.write({**router.config, "tunnel": {**router.config["tunnel"], **tunnel}})
    router.signal(signal.SIGHUP)
    wait_until(
        lambda: router.log.count("configuration reloaded") > before, 10, "the router reloads"
    )


@pytest.mark.parametrize("family", [0, 1])
def test_a_stolen_endpoint_reaches_the_egress_and_echoes_of_the_router_alone(
    world: World, family: int
) -> None:
    router = start(world)
    assert connects(world, BUSINESS[family], "business")
    assert pings(world, BUSINESS[family])
    own = (ROUTER_TUN["router_a"], ("10.66.0.1", "fd66::1"), OWN_EGRESS)
    for address in own:
        before = denied(world)
        assert pings(world, address[family])
        assert denied(world) == before
        assert cut_off(world, address[family], "router_a")
        assert not sends(world, address[family], "router_a", SILENCE_S)
    assert cut_off(world, OFFICE[family], "office")
    assert not pings(world, OFFICE[family], within=SILENCE_S)
    take(router, allow_input=[{"proto": "tcp", "port": PORT}])
    assert connects(world, ROUTER_TUN["router_a"][family], "router_a")
    assert not sends(world, ROUTER_TUN["router_a"][family], "router_a", SILENCE_S)
    assert cut_off(world, ROUTER_TUN["router_a"][family], "router_a", port=PORT + 1)
    take(router, allow_input=[{"proto": "udp", "port": PORT}])
    assert sends(world, ROUTER_TUN["router_a"][family], "router_a")
    assert cut_off(world, ROUTER_TUN["router_a"][family], "router_a")


@pytest.mark.parametrize("family", [0, 1])
def test_into_tunnels_connections_begin_at_the_egress_and_the_router_alone(
    world: World, family: int
) -> None:
    start(world)
    for origin, expected in (("business", True), ("router_a", True), ("office", False)):
        leads = connects if expected else cut_off
        assert leads(world, ENDPOINT_TUN[family], "endpoint", origin=origin), origin
        within = PATIENCE_S if expected else SILENCE_S
        assert pings(world, ENDPOINT_TUN[family], origin, within) is expected, origin


@pytest.mark.parametrize("family", [0, 1])
def test_endpoints_reach_each_other_where_the_router_says_so(world: World, family: int) -> None:
    router = start(world)
    assert cut_off(world, OTHER_TUN[family], "other")
    assert not pings(world, OTHER_TUN[family], within=SILENCE_S)
    take(router, client_to_client=True)
    assert connects(world, OTHER_TUN[family], "other")
    assert pings(world, OTHER_TUN[family])
    assert cut_off(world, OFFICE[family], "office")


@pytest.mark.parametrize("family", [0, 1])
def test_a_tunnel_is_no_way_into_a_management_network_behind_the_egress(
    world: World, family: int
) -> None:
    """Masquerading would show its hosts nothing but the router's own address."""
    router = start(world, protected_networks=PROTECTED)
    services = [{"proto": "tcp", "port": PORT}]
    for tunnel in ({}, {"client_to_client": True, "allow_input": services}):
        take(router, **tunnel)
        assert cut_off(world, MANAGED[family], "business")
        assert not sends(world, MANAGED[family], "business", SILENCE_S)
        assert not pings(world, MANAGED[family], within=SILENCE_S)
        assert cut_off(world, ("10.99.0.1", "fd99::1")[family], "router_a")
        assert connects(world, BUSINESS[family], "business")
    # Who manages endpoints gets answers.
    assert connects(world, ENDPOINT_TUN[family], "endpoint", origin="business")
    take(router, protected_networks=[])
    assert connects(world, MANAGED[family], "business")


def test_a_chain_that_protects_nothing_is_not_there(world: World) -> None:
    """Nor does its coming and going count as somebody's change."""
    router = start(world)

    def hooked() -> bool:
        return "guard_prerouting" in world.exec("router_a", "nft", "list ruleset")

    assert not hooked()
    for protected in (PROTECTED, [], PROTECTED, []):
        take(router, protected_networks=protected)
        assert hooked() is bool(protected)
    world.exec("router_a", "nft", "add table inet other; delete table inet other")
    assert not cut_off(world, MANAGED[0], "business")
    status = router.status()
    assert (status["problems"], status["put_back"]) == ([], 0)
    assert "put back" not in router.log


def test_what_is_done_to_the_rules_is_undone(world: World) -> None:
    start(world, protected_networks=PROTECTED)
    chains = ("guard_prerouting", "guard_input", "guard_forward")
    for chain in chains:
        world.exec("router_a", "nft", f"flush chain inet nrs_routing_server {chain}")
    wait_until(lambda: cut_off(world, OFFICE[0], "office"), 10, "it is denied again")
    assert cut_off(world, MANAGED[0], "business")


def asked(world: World, address: str, origin: str) -> int:
    """The status with which the API at `address` answers a question for its health."""
    family = family_of(address)
    with closing(world.socket(origin, family, socket.SOCK_STREAM)) as client:
        client.settimeout(PATIENCE_S)
        client.connect((address, API_PORT))
        client.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        with client.makefile("rb") as answer:
            return int(answer.readline().split()[1])


def balancer(world: World, host: str, **api: object) -> None:
    signing = Signing(world.directory)
    api = {**signing.service(f"http://{host}:{API_PORT}"), "allow_plain": True, **api}
    config = {"server": {"bind_port": API_PORT}, "api": api}
    agent = Agent(world, host, "load-balancer", f"{host}_load_balancer", config)
    wait_until(lambda: "serving on" in agent.log, 20, "the load balancer serves")


@pytest.mark.parametrize("family", [0, 1])
def test_an_api_refuses_what_comes_out_of_tunnels_where_nothing_hides_its_source(
    world: World, family: int
) -> None:
    start(world, allow_input=[{"proto": "tcp", "port": API_PORT}])
    balancer(world, "router_a", refused_networks=TUNNELS)
    assert asked(world, ROUTER_TUN["router_a"][family], "endpoint") == 403
    assert asked(world, OWN_EGRESS[family], "endpoint") == 403
    assert asked(world, OWN_EGRESS[family], "business") == 200


def test_an_api_behind_a_router_that_masquerades_is_for_the_router_to_keep_shut(
    world: World,
) -> None:
    router = start(world, protected_networks=PROTECTED)
    balancer(world, "business", refused_networks=TUNNELS)
    for address in MANAGED:
        before = denied(world)
        with pytest.raises(TimeoutError):
            asked(world, address, "endpoint")
        assert denied(world) > before
        assert asked(world, address, "router_a") == 200
    take(router, protected_networks=[])
    assert [asked(world, address, "endpoint") for address in MANAGED] == [200, 200]
