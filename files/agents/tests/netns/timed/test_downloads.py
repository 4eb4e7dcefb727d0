"""Downloads over faults: unchanged where NAT allows it, over at once where it does not."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import Routers, both_up
from tests.netns.faults import BLACKHOLE, EGRESS, KILL, other_than
from tests.netns.timed.test_failover import active_of
from tests.netns.timed.test_planned_moves import Connections, echo
from tests.netns.transfer import Download
from tests.netns.world import BUSINESS, Agent, World

SIZE = 100_000_000
RATE = 30_000_000
FAULTS = 5
SOON_S = 3.0
"""Until the client has noticed; about 0.1 s where the machine is quiet."""

FIREWALL = (
    "add table inet firewall;"
    "add chain inet firewall in { type filter hook input priority 0; };"
    "add rule inet firewall in tcp flags & (syn | ack) == ack ct state new drop;"
    "add rule inet firewall in ct state invalid drop"
)
"""A server's that takes what it does not know without a word, as most do."""


@pytest.fixture
def chance() -> random.Random:
    """Chance that can be repeated: NRS_TEST_SEED is the seed."""
    seed = os.environ.get("NRS_TEST_SEED") or str(random.SystemRandom().getrandbits(32))
    print(f"NRS_TEST_SEED={seed}")
    return random.Random(seed)  # noqa: S311 - chance that can be repeated


@pytest.fixture
def endpoint(world: World, routers: Routers) -> Agent:
    made = world.endpoint()
    wait_until(lambda: both_up(made), 20, "both tunnels up")
    return made


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def moved(endpoint: Agent, left: str) -> None:
    wait_until(lambda: active_of(endpoint) == other_than(left), 10, f"traffic leaves {left}")


def switch(endpoint: Agent, _: Routers) -> None:
    """The load balancer prefers the other router."""
    active = active_of(endpoint)
    endpoint.command("advise", router_id=other_than(active))
    moved(endpoint, active)


def drain(endpoint: Agent, routers: Routers) -> None:
    """The router is drained, and back in service while the download still goes through it."""
    active = active_of(endpoint)
    routers[active].command("drain", deadline=300)
    moved(endpoint, active)
    routers[active].command("undrain")


def test_a_download_over_five_planned_moves_arrives_unchanged(
    world: World, routers: Routers, endpoint: Agent, opened: ExitStack, chance: random.Random
) -> None:
    near, far, _ = Connections(world, chance.choice(BUSINESS), opened).make()
    download = opened.enter_context(Download(near, far, SIZE, RATE))
    for number in range(FAULTS):
        begin = SIZE * (number + chance.random()) / FAULTS * 0.9
        wait_until(lambda begin=begin: download.received >= begin, 60, "the download goes on")
        chance.choice([switch, drain])(endpoint, routers)
        assert download.received < SIZE
    download.end(60)
    assert endpoint.log.count("traffic moves") > FAULTS


def test_downloads_and_waiting_clients_notice_each_of_five_faults_at_once(
    world: World, routers: Routers, endpoint: Agent, chance: random.Random
) -> None:
    world.exec("business", "nft", FIREWALL)
    kinds = [KILL, BLACKHOLE, EGRESS]
    faults = [*kinds, *chance.choices(kinds, k=FAULTS - len(kinds))]
    chance.shuffle(faults)
    for fault in faults:
        with ExitStack() as opened:
            servers = [Connections(world, address, opened) for address in BUSINESS]
            waiting = [server.make() for server in servers]
            for one in waiting:
                echo(*one[:2])
            near, far, _ = chance.choice(servers).make()
            download = opened.enter_context(Download(near, far, SIZE, RATE))
            begin = SIZE * chance.random() / 4
            wait_until(lambda d=download, b=begin: d.received >= b, 60, "the download goes on")

            active = active_of(endpoint)
            print(f"{fault} of {active} after {download.received} bytes")
            failed = time.monotonic()
            fault.begin(world, routers[active])
            with pytest.raises(ConnectionResetError):
                download.end(SOON_S)
            print(f"the download ends after {time.monotonic() - failed:.3f} s")
            for one in waiting:
                one[0].settimeout(SOON_S)
                with pytest.raises(ConnectionResetError):
                    one[0].recv(1)
            print(f"everybody knows after {time.monotonic() - failed:.3f} s")
            for server in servers:
                echo(*server.make()[:2])
        fault.end(world, routers[active])
        wait_until(lambda: both_up(endpoint), 20, "both tunnels up again")
