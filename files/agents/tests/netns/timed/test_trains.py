"""Cards and kernels that damage datagrams sent together, without an error."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from itertools import pairwise

import pytest
from testbed.wait import wait_until

from tests.netns import transfer
from tests.netns.conftest import is_up
from tests.netns.transfer import Download
from tests.netns.world import AGENTS, BUSINESS, UNDERLAY6, Agent, World

RELAY = "::1"
SENT, RECEIVED = "trains that are sent to it", "trains that it sends"
MOST_TRIALS_S = 2.0
"""A second is what finding out may take; asking and a busy machine cost some more."""
TRANSFERS = 5
"""Of which the quickest counts: the relay and the rest of the machine slow some."""
MEGABYTES = 15
LEAST_TRIALS_S = 0.12
"""Three trials that each wait for what does not come."""
ATTEMPTS = 3
"""Of which one has to do: a busy machine holds some up."""


def relay(world: World, lie: str, loss: float = 0.0) -> subprocess.Popen[bytes]:
    """Let what the endpoint sends to RELAY go to router_a; lying and losing from SIGUSR1 on."""
    words = (RELAY, "51820", UNDERLAY6["router_a"][1], str(loss), "0", "1", lie)
    process = world.popen(
        "endpoint",
        *(sys.executable, "-m", "tests.netns.relay", *words),
        cwd=AGENTS,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    with process.stdout as output:
        assert output.readline() == b"ready\n"
    return process


def start(world: World) -> tuple[Agent, Agent]:
    router = world.router("router_a")
    endpoint = world.endpoint(routers=[{"router_id": "router_a", "external_ip": RELAY}])
    wait_until(lambda: is_up(endpoint), 30, "tunnel up")
    return router, endpoint


def not_together(endpoint: Agent) -> list[str]:
    return list(endpoint.tunnels()["router_a"]["not_together"])


def tags_of(*agents: Agent) -> int:
    return sum(agent.status()["figures"]["drops"]["tag"] for agent in agents)


def seconds(world: World, *, upload: bool) -> float:
    began = time.monotonic()
    transfer.tcp(world, BUSINESS[0], MEGABYTES * 1_000_000, upload=upload)
    return time.monotonic() - began


@pytest.mark.parametrize("lie", ["drop", "cut"])
def test_trains_that_are_damaged_from_the_start_are_not_sent(
    world: World, codec: str, lie: str
) -> None:
    process = relay(world, lie)
    process.send_signal(signal.SIGUSR1)
    router, endpoint = start(world)
    wait_until(lambda: not_together(endpoint) == [SENT, RECEIVED], MOST_TRIALS_S, "both are off")
    wait_until(
        lambda: router.tunnels()["endpoint_1"]["not_together"] == [SENT], 1, "the router knows"
    )
    assert "single datagrams arrive, and not" in endpoint.log
    tags, began = tags_of(router, endpoint), time.monotonic()
    lying = [min(seconds(world, upload=way) for _ in range(TRANSFERS)) for way in (False, True)]
    # Nothing goes together, so nothing is damaged but the trains of trials, one in two seconds.
    trials = 1 + (time.monotonic() - began) / 2
    assert tags_of(router, endpoint) - tags <= 2 * 5 * trials
    process.send_signal(signal.SIGUSR2)
    honest = [min(seconds(world, upload=way) for _ in range(TRANSFERS)) for way in (False, True)]
    assert not_together(endpoint) == [SENT, RECEIVED], "it is not tried again yet"
    # As fast as one by one without any damage; 0.9 of it on a machine with nothing else to do.
    for damaged, plain in zip(lying, honest, strict=True):
        assert damaged <= plain / 0.6


@pytest.mark.parametrize(("lie", "lost"), [("drop-up", SENT), ("drop-down", RECEIVED)])
def test_damage_that_begins_under_traffic(world: World, codec: str, lie: str, lost: str) -> None:
    """Only the direction that is damaged changes."""
    process = relay(world, lie)
    _, endpoint = start(world)
    upload = lie == "drop-up"
    with (
        closing(world.socket("business", socket.AF_INET, socket.SOCK_STREAM)) as listener,
        closing(world.socket("endpoint", socket.AF_INET, socket.SOCK_STREAM)) as near,
    ):
        listener.bind((BUSINESS[0], 0))
        listener.listen()
        near.connect(listener.getsockname())
        far, _ = listener.accept()
        ends = (far, near) if upload else (near, far)
        with closing(far), Download(*ends, 30_000_000, 4_000_000) as download:
            wait_until(lambda: download.received > 4_000_000, 20, "it flows")
            assert not_together(endpoint) == []
            process.send_signal(signal.SIGUSR1)
            wait_until(lambda: not_together(endpoint) == [lost], MOST_TRIALS_S, "it is off")
            download.end(40)


def longest_gap(world: World, damage: Callable[[], None], *, upload: bool) -> float:
    """UDP goes in trains for a while; `damage` begins in the midst of it.

    Answers the longest time, in s, in which none arrived but the first of each train.
    """
    with (
        closing(world.socket("business", socket.AF_INET, socket.SOCK_DGRAM)) as far,
        closing(world.socket("endpoint", socket.AF_INET, socket.SOCK_DGRAM)) as near,
    ):
        far.bind((BUSINESS[0], 0))
        near.connect(far.getsockname())
        near.send(b"\0")
        far.connect(far.recvfrom(1)[1])
        sender, receiver = (near, far) if upload else (far, near)
        sender.setsockopt(socket.IPPROTO_UDP, transfer.UDP_SEGMENT, 1200)
        receiver.setblocking(False)
        train = b"".join(bytes([number]) * 1200 for number in range(10))
        arrived = [began := time.monotonic()]
        bad = False
        while (now := time.monotonic()) < began + 1:
            sender.send(train)
            if now > began + 0.3 and not bad:
                damage()
                bad = True
            time.sleep(0.004)
            with suppress(BlockingIOError):
                while True:
                    if receiver.recv(1200)[0]:
                        arrived.append(time.monotonic())
    return max(after - before for before, after in pairwise([*arrived, now]))


@pytest.mark.parametrize(("lie", "lost"), [("drop-up", SENT), ("drop-down", RECEIVED)])
def test_single_datagrams_go_before_trials_have_told(
    world: World, codec: str, lie: str, lost: str
) -> None:
    """A suspicion is enough: a sender inside need not wait for its first retransmission."""
    process = relay(world, lie)
    _, endpoint = start(world)
    gaps: list[float] = []
    while not gaps or min(gaps) > LEAST_TRIALS_S:
        assert len(gaps) < ATTEMPTS, gaps
        if gaps:
            process.send_signal(signal.SIGUSR2)
            endpoint.stop()
            endpoint.start()
            wait_until(lambda: is_up(endpoint), 30, "tunnel up")
        begin = partial(process.send_signal, signal.SIGUSR1)

        gaps.append(longest_gap(world, begin, upload=lost is SENT))
        wait_until(lambda: not_together(endpoint) == [lost], MOST_TRIALS_S, "it is off")
