"""Planned moves cost no packet and no connection: flows stay where their NAT state is."""

from __future__ import annotations

import fcntl
import socket
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest
from testbed.wait import wait_until

from tests.netns import transfer
from tests.netns.conftest import is_up, one_router
from tests.netns.timed.test_failover import active_of, lost, start_ping
from tests.netns.world import BUSINESS, Agent, World

Running = tuple[World, Agent, Agent, Agent]
EGRESS = {
    "router_a": {socket.AF_INET: "198.51.100.1", socket.AF_INET6: "2001:db8:100::1"},
    "router_b": {socket.AF_INET: "198.51.100.2", socket.AF_INET6: "2001:db8:100::2"},
}


def move(endpoint: Agent) -> tuple[str, str]:
    """Let the load balancer prefer the other router; the active one before, and after."""
    before = active_of(endpoint)
    after = {"router_a": "router_b", "router_b": "router_a"}[before]
    endpoint.command("advise", router_id=after)
    wait_until(lambda: active_of(endpoint) == after, 5, "the advice is taken")
    return before, after


class Connections:
    """TCP connections from the endpoint to the business server."""

    def __init__(self, world: World, address: str, opened: ExitStack) -> None:
        self._world, self._opened = world, opened
        self._family = transfer.family_of(address)
        self._listener = self._keep(world.socket("business", self._family, socket.SOCK_STREAM))
        self._listener.bind((address, 0))
        self._listener.listen()

    def _keep(self, one: socket.socket) -> socket.socket:
        one.settimeout(10)
        return self._opened.enter_context(closing(one))

    def make(self) -> tuple[socket.socket, socket.socket, str]:
        """Both ends, and the address that the server sees."""
        near = self._keep(self._world.socket("endpoint", self._family, socket.SOCK_STREAM))
        near.connect(self._listener.getsockname()[:2])
        far, seen = self._listener.accept()
        return near, self._keep(far), seen[0]


@pytest.fixture(params=BUSINESS)
def connections(running: Running, request: pytest.FixtureRequest) -> Iterator[Connections]:
    with ExitStack() as opened:
        yield Connections(running[0], request.param, opened)


def echo(near: socket.socket, far: socket.socket) -> None:
    for source, sink in ((near, far), (far, near)):
        source.sendall(b"still here")
        assert sink.recv(100) == b"still here"


def unanswered(connection: socket.socket) -> int:
    """Bytes that the other end has not acknowledged (SIOCOUTQ of tcp(7)).

    A host that is no router any more resets what is sent again to the address that it masqueraded.
    """
    told = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
    return int.from_bytes(told, sys.byteorder)


def test_connections_stay_and_new_ones_take_the_new_router(
    running: Running, connections: Connections
) -> None:
    _, endpoint, *_ = running
    first_near, first_far, first_seen = connections.make()
    before, after = move(endpoint)
    family = first_near.family
    assert first_seen == EGRESS[before][family]
    second_near, second_far, second_seen = connections.make()
    assert second_seen == EGRESS[after][family]
    for _ in range(3):
        echo(first_near, first_far)
        echo(second_near, second_far)


@pytest.mark.parametrize(("end", "address"), [(Agent.kill, BUSINESS[0]), (Agent.stop, BUSINESS[1])])
def test_a_connection_outlives_a_restart_of_its_only_router(
    world: World, end: Callable[[Agent], object], address: str
) -> None:
    router, endpoint = one_router(world, keepalive_interval=0.5)
    with ExitStack() as opened:
        near, far, _ = Connections(world, address, opened).make()
        echo(near, far)
        wait_until(lambda: not unanswered(near) + unanswered(far), 5, "nothing is on its way")
        end(router)
        router.start()
        wait_until(lambda: "endpoint_1" in router.tunnels(), 20, "the endpoint is back")
        wait_until(lambda: is_up(endpoint), 5, "the tunnel is up")
        echo(near, far)


def test_a_download_goes_on_where_it_began(running: Running) -> None:
    world, endpoint, *_ = running
    transfer.tcp(world, BUSINESS[0], 20_000_000, connected=lambda: move(endpoint))


def test_a_ping_loses_nothing(running: Running) -> None:
    world, endpoint, *_ = running
    ping = start_ping(world, 300)
    wait_until(lambda: endpoint.status()["figures"]["rx_packets"] > 50, 10, "pings flow")
    move(endpoint)
    assert lost(ping) == 0


def test_flows_leave_a_router_that_dies(running: Running) -> None:
    world, endpoint, router_a, router_b = running
    ping = start_ping(world, 400)
    wait_until(lambda: endpoint.status()["figures"]["rx_packets"] > 50, 10, "pings flow")
    before, _ = move(endpoint)  # the ping stays where it began
    {"router_a": router_a, "router_b": router_b}[before].kill()
    assert lost(ping) < 200
