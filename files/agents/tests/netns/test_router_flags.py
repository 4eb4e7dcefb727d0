"""What a router tells its endpoints of itself, on the wire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testbed.wait import wait_until

from nrs.tunnel.wire import (
    HEADER_BYTES,
    OVERHEAD,
    VERSION,
    HelloAck,
    RouterFlag,
    Type,
    first_byte,
)
from tests.netns.capture import Capture
from tests.netns.conftest import one_router
from tests.netns.timed.test_failover import active_of, start_ping
from tests.netns.world import UPLINK, Agent, World

Running = tuple[World, Agent, Agent, Agent]
_UDP_BYTES = 8


class Told:
    """The flags of the datagrams of each kind that an endpoint has received from a router."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._flags: dict[int, list[RouterFlag]] = {kind: [] for kind in Type}

    def by(self, kind: Type) -> list[RouterFlag]:
        for seen in self._capture.packets():
            datagram = seen.payload[_UDP_BYTES:]
            if not seen.outgoing and len(datagram) >= OVERHEAD and datagram[0] >> 4 == VERSION:
                self._flags[datagram[0] & 0x0F].append(RouterFlag(datagram[1]))
        return self._flags[kind]


@pytest.fixture
def told(running: Running) -> Iterator[tuple[str, Told]]:
    """The router that pings go through, and what it tells."""
    world, endpoint, *_ = running
    with start_ping(world, 1000) as ping:
        wait_until(lambda: endpoint.status()["figures"]["rx_packets"] > 20, 10, "pings flow")
        active = active_of(endpoint)
        with Capture(world, "endpoint", UPLINK[active]) as capture:
            yield active, Told(capture)
        ping.kill()


def test_a_dead_egress_is_told_unasked_and_with_every_answer(
    running: Running, told: tuple[str, Told]
) -> None:
    world, *_ = running
    router, flags = told
    wait_until(lambda: flags.by(Type.PROBE_ACK), 5, "probes are answered")
    assert set(flags.by(Type.PROBE_ACK)) == {RouterFlag(0)}
    world.ip(router, "link", "set", "egress0", "down")
    wait_until(lambda: flags.by(Type.ROLE), 5, "a ROLE")
    wait_until(lambda: flags.by(Type.PROBE_ACK)[-1], 5, "a PROBE_ACK")
    world.ip(router, "link", "set", "egress0", "up")
    wait_until(lambda: len(flags.by(Type.ROLE)) == 2, 5, "another ROLE")
    assert flags.by(Type.ROLE) == [RouterFlag.EGRESS_DOWN, RouterFlag(0)]


def test_a_new_tunnel_is_told_at_once(world: World) -> None:
    router = world.router("router_a")
    world.ip("router_a", "link", "set", "egress0", "down")
    wait_until(lambda: router.status().get("egress_up") is False, 10, "the egress is down")
    with Capture(world, "endpoint", UPLINK["router_a"]) as capture:
        one_router(world, router=router)
        answers = [
            HelloAck.decode(seen.payload[_UDP_BYTES + HEADER_BYTES :])
            for seen in capture.packets()
            if not seen.outgoing
            and seen.payload[_UDP_BYTES : _UDP_BYTES + 1] == bytes([first_byte(Type.HELLO_ACK)])
        ]
    assert [answer.flags for answer in answers] == [RouterFlag.EGRESS_DOWN]
