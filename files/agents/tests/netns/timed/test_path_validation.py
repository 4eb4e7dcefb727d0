"""A session follows its endpoint to a new address once it has answered there."""

from __future__ import annotations

import re
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

from testbed.wait import wait_until

from nrs.router.path_validation import ANSWER_S
from tests.netns import test_roaming as roaming
from tests.netns.conftest import is_up, one_router
from tests.netns.nat import LISTEN, PORT, Nat
from tests.netns.timed.test_planned_moves import Connections
from tests.netns.transfer import Download
from tests.netns.world import BUSINESS, UNDERLAY6, Agent, World

ROUND_TRIP_S = 0.1
ATTEMPTS = 5
"""Of which one has to do: a busy machine holds some up."""
POLLED_S = 0.1
"""What asking a router where an endpoint is adds to when it has moved."""
_EVERY_S = 0.002
_ACKNOWLEDGED = 4
"""So many at once: three times these bytes are by far less than what comes."""
_STAMPED = struct.Struct("=Qd")
VICTIM = ("2001:db8:f::2", "2001:db8:f::1")


def tunnel_through(world: World) -> tuple[Agent, Agent]:
    router = world.router("router_a")
    endpoint = world.endpoint(routers=[{"router_id": "router_a", "external_ip": LISTEN}])
    wait_until(lambda: is_up(endpoint), 30, "tunnel up")
    return router, endpoint


class Stream:
    """Datagrams from the business server to the endpoint, and small ones back; runs as a thread."""

    def __init__(self, world: World, size: int) -> None:
        self._near = world.socket("endpoint", socket.AF_INET, socket.SOCK_DGRAM)
        self._far = world.socket("business", socket.AF_INET, socket.SOCK_DGRAM)
        self._size = size
        self.sent: dict[int, float] = {}
        self.came: set[int] = set()
        self._over = False
        self._threads = [threading.Thread(target=one) for one in (self._send, self._receive)]

    def __enter__(self) -> Stream:
        self._far.bind((BUSINESS[0], 0))
        self._near.connect(self._far.getsockname())
        self._near.send(b"hello")
        self._peer = self._far.recvfrom(100)[1]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        for thread in self._threads:
            thread.join()
        self._near.close()
        self._far.close()

    def _send(self) -> None:
        number = 0
        while not self._over:
            number += 1
            self.sent[number] = now = time.monotonic()
            self._far.sendto(_STAMPED.pack(number, now).ljust(self._size, b"x"), self._peer)
            time.sleep(_EVERY_S)

    def _receive(self) -> None:
        self._near.settimeout(0.05)
        while not self._over:
            with suppress(TimeoutError):
                self.came.add(_STAMPED.unpack_from(self._near.recv(2000))[0])
                if len(self.came) % _ACKNOWLEDGED == 0:
                    self._near.send(b"acknowledged" * 5)

    def lost(self, since: float) -> list[float]:
        """When those were sent that did not arrive, of what was sent up to half a second ago."""
        until = time.monotonic() - 0.5
        return [
            when
            for number, when in list(self.sent.items())
            if since < when < until and number not in self.came
        ]


def test_a_download_goes_on_two_round_trips_after_a_nat_has_forgotten_it(
    world: World, codec: str
) -> None:
    with Nat(world, UNDERLAY6["router_a"][1], ROUND_TRIP_S / 2) as nat:
        router, endpoint = tunnel_through(world)
        moved, taken = [], []
        with Stream(world, 1200) as stream:
            for _ in range(ATTEMPTS):
                time.sleep(1.0)
                before = roaming.seen_from(router)
                when = nat.rebind()
                wait_until(lambda b=before: roaming.seen_from(router) != b, 5, "it has moved")
                moved.append(time.monotonic() - when)
                time.sleep(1.0)
                lost = stream.lost(when - ROUND_TRIP_S / 2)
                taken.append(max(lost) - when)
                if taken[-1] <= 2 * ROUND_TRIP_S and moved[-1] <= 2 * ROUND_TRIP_S + POLLED_S:
                    break
        print(f"it has moved after {moved}, the last datagram that was lost was sent at {taken}")
        assert min(taken) <= 2 * ROUND_TRIP_S
        assert min(moved) <= 2 * ROUND_TRIP_S + POLLED_S
        assert min(taken) > ROUND_TRIP_S / 2, "nothing of the new address was known before"
        assert router.status()["paths_not_validated"] == 0
        assert is_up(endpoint)


def test_a_file_arrives_unchanged_over_a_nat_that_forgets(world: World, codec: str) -> None:
    with Nat(world, UNDERLAY6["router_a"][1], ROUND_TRIP_S / 2) as nat, ExitStack() as opened:
        router, _ = tunnel_through(world)
        near, far, _ = Connections(world, BUSINESS[1], opened).make()
        size = 6_000_000
        download = opened.enter_context(Download(near, far, size, 1_500_000))
        for number in range(1, 4):
            begin = number * size // 4
            wait_until(lambda b=begin: download.received >= b, 60, "the download goes on")
            before = roaming.seen_from(router)
            nat.rebind()
            wait_until(lambda b=before: roaming.seen_from(router) != b, 5, "it has moved")
        download.end(60)


@contextmanager
def victim(world: World) -> Iterator[socket.socket]:
    """A socket of a host that the router reaches, which answers nothing."""
    world.host("victim")
    world.link(("victim", "up0"), ("router_a", "victim0"))
    world.address("victim", "up0", f"{VICTIM[0]}/64")
    world.address("router_a", "victim0", f"{VICTIM[1]}/64")
    world.ip("victim", "-6", "route", "add", "default", "via", VICTIM[1])
    with closing(world.socket("victim", socket.AF_INET6, socket.SOCK_DGRAM)) as made:
        made.bind((VICTIM[0], 0))
        ping = ("ping", "-c1", "-W1", VICTIM[1])
        wait_until(
            lambda: " 1 received" in world.exec("victim", *ping, check=False),
            5,
            "the router answers the victim",
        )
        yield made


def arrived(at: socket.socket) -> int:
    """Bytes that have come there."""
    at.setblocking(False)
    total = 0
    while True:
        try:
            total += len(at.recv(70_000))
        except BlockingIOError:
            return total


def test_who_copies_what_an_endpoint_sends_turns_nothing_on_a_victim(
    world: World, codec: str
) -> None:
    """Faster than the endpoint, in the victim's name, for longer than validation takes."""
    target = UNDERLAY6["router_a"][1]
    with victim(world) as copier, Nat(world, target) as nat:
        router, endpoint = tunnel_through(world)
        assert world.ping(BUSINESS[0])
        with Stream(world, 1200) as stream:
            time.sleep(0.5)
            place, began = roaming.seen_from(router), time.monotonic()
            nat.copy_by(copier)
            wait_until(
                lambda: router.status()["paths_not_validated"] >= 2, 3 * ANSWER_S, "it is refused"
            )
            received, copied = arrived(copier), nat.copied
            assert copied > 1000
            assert 0 < received <= 3 * copied
            sent = sum(when > began for when in stream.sent.values())
            assert received < 0.05 * sent * 1200, "it gets hardly more than challenges"
            lost = len(stream.lost(began))
            print(f"{copied} bytes copied, {received} sent there; {lost} of {sent} datagrams lost")
            assert lost <= 0.05 * sent
            assert roaming.seen_from(router) == place
            assert is_up(endpoint)


def test_a_victim_gets_three_times_what_was_sent_in_its_name_and_the_endpoint_the_rest(
    world: World, codec: str
) -> None:
    """By who takes the endpoint's datagrams off its path, so that no original comes."""
    target = UNDERLAY6["router_a"][1]
    with victim(world) as copier, Nat(world, target) as nat:
        tunnel_through(world)
        assert world.ping(BUSINESS[0])
        with Stream(world, 1200) as stream:
            time.sleep(0.5)
            before = len(stream.came)
            nat.copy_by(copier, instead=True)
            time.sleep(ANSWER_S / 4)
            came, sent = len(stream.came) - before, ANSWER_S / 4 / _EVERY_S
            received, copied = arrived(copier), nat.copied
            print(f"{copied} bytes copied, {received} sent there; {came} of {sent:.0f} came on")
            assert copied < received <= 3 * copied
            assert came > 0


def drop_to(world: World, address: str) -> None:
    """Let nothing of the router's get there from now on."""
    world.exec(
        "router_a",
        "nft",
        "add table inet oneway;"
        "add chain inet oneway out { type filter hook output priority 0; };"
        f"add rule inet oneway out ip6 daddr {address} udp sport {PORT} drop",
    )


def test_where_nobody_answers_packets_go_on_along_the_path_before(world: World, codec: str) -> None:
    roaming.have_addresses(world, 6)
    router, endpoint = one_router(world)
    assert world.ping(BUSINESS[0])
    place = roaming.seen_from(router)
    there = roaming.ELSEWHERE[6][0]
    drop_to(world, there)
    roaming.translate(world, 6, place[1], there, 4001)
    pinging = world.popen(
        "endpoint",
        *("ping", "-D", "-i", "0.05", "-w", "12", BUSINESS[0]),
        stdout=subprocess.PIPE,
    )
    wait_until(lambda: router.status()["paths_not_validated"] >= 1, 3 * ANSWER_S, "it has failed")
    failed = time.time()
    assert roaming.seen_from(router) == place
    told = pinging.communicate(timeout=30)[0].decode()
    answers = [float(when) for when in re.findall(r"^\[([\d.]+)\].* bytes from", told, re.M)]
    after = [when for when in answers if when > failed + 0.5]
    assert len(after) > 20, "they come along the path before"
    world.exec("router_a", "nft", "delete table inet oneway")
    wait_until(lambda: roaming.seen_from(router) == (there, 4001), 5, "it is there after all")
    assert world.ping(BUSINESS[0])
    assert is_up(endpoint)
