"""Hosts that are starved of processor time: nobody is taken for dead, and who is dead is missed."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from testbed import process
from testbed.wait import wait_until

from nrs.system import scheduling
from tests.netns.conftest import both_up, made
from tests.netns.faults import BLACKHOLE, KILL, Fault
from tests.netns.starving import busy, only_on, processors, still
from tests.netns.timed.test_failover import active_of
from tests.netns.world import BUSINESS, Agent, World

CHECKOUT = Path(__file__).resolve().parents[5]
PORT, RATE = 7007, 500
HEALTHY_S = 6.0
SETTLE_S = 1.0
STILL_S = 0.020
"""A real-time thread waits no longer for a processor that the machine has."""
BOUND_S = 0.150
"""Of what a fault may cost, load or no load."""


class Echoes:
    """UDP to the business server and back at a steady rate; they come before the busy loops."""

    def __init__(self, world: World) -> None:
        run = str(secrets.randbits(62))
        self._server = self._start(world, "business", "serve", run)
        self._client = self._start(world, "endpoint", "send", run, str(RATE))

    def _start(self, world: World, host: str, role: str, *more: str) -> subprocess.Popen[bytes]:
        words = ("-m", "bench.failover.echo", role, BUSINESS[0], str(PORT), *more)
        started = world.popen(
            host,
            *(sys.executable, *words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        )
        assert started.stdout is not None
        assert started.stdout.readline() == b"ready\n"
        return started

    def longest_gap(self, since: float) -> float:
        """End them; the longest time without an echo after `since`, in seconds."""
        out, _ = self._client.communicate(timeout=20)
        said: dict[str, Any] = json.loads(out)
        process.end([self._server])
        came = [at / 1e9 for _, at in said["received"]]
        times = [since, *(at for at in came if at > since)]
        assert times[-1] - since > 1.0, "echoes come again after the fault"
        return max(after - before for before, after in pairwise(times))


def switches(endpoint: Agent) -> int:
    return int(endpoint.command("events", count=1)["last"])


@contextmanager
def starved(world: World, who: str) -> Iterator[tuple[Agent, dict[str, Agent]]]:
    """The agents, each end with processors of its own, and the load on one end or both."""
    near, far = processors()
    world.wrapper = only_on(far)
    routers = {name: world.router(name) for name in ("router_a", "router_b")}
    world.wrapper = only_on(near)
    endpoint = world.endpoint()
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    loaded = {"both ends": near | far, "the endpoint": near, "the routers": far}[who]
    with busy(loaded):
        yield endpoint, routers


@pytest.mark.parametrize(
    ("who", "fault"),
    [("both ends", KILL), ("both ends", BLACKHOLE), ("the endpoint", KILL), ("the routers", KILL)],
    ids=str,
)
def test_the_starved_are_not_taken_for_dead_and_the_dead_are_missed(who: str, fault: Fault) -> None:
    """A trial in which the machine itself stood still says nothing, and is made once more."""
    with still() as longest, made() as world:
        try:
            trial(world, who, fault)
        except AssertionError:
            if longest() < STILL_S:
                raise
        else:
            return
    with made() as world:
        trial(world, who, fault)


def trial(world: World, who: str, fault: Fault) -> None:
    with starved(world, who) as (endpoint, routers):
        echoes = Echoes(world)
        time.sleep(SETTLE_S)
        before = switches(endpoint)
        wait_until(pause_over(HEALTHY_S), HEALTHY_S + 10, "a while without a fault has gone by")
        assert switches(endpoint) == before, endpoint.log

        active = active_of(endpoint)
        at = time.monotonic()
        fault.begin(world, routers[active])
        time.sleep(1.5)
        assert echoes.longest_gap(at) < BOUND_S
        assert active_of(endpoint) != active
        fault.end(world, routers[active])


def pause_over(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def test_the_packet_loop_comes_before_others_and_what_it_starts_does_not(world: World) -> None:
    world.wrapper = ("setsid",)
    router = world.router("router_a")
    wait_until(lambda: bool(router.status()), 20, "the router answers")
    assert router.status()["scheduling"]["nice"] == scheduling.NICE
    pid = router.process.pid
    wait_until(lambda: bool(children(pid)), 10, "the companion runs")
    threads = {
        task.name: os.getpriority(os.PRIO_PROCESS, int(task.name))
        for task in Path(f"/proc/{pid}/task").iterdir()
    }
    assert threads.pop(str(pid)) == scheduling.NICE
    assert set(threads.values()) == {0}
    (companion,) = children(pid)
    assert os.getpriority(os.PRIO_PROCESS, companion) == 0
    wait_until(lambda: os.getsid(companion) == companion, 10, "it has a session of its own")
    assert os.sched_getscheduler(pid) & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    tasks = Path(f"/proc/{pid}/task").iterdir()
    found += [
        child
        for task in tasks
        if task.name != str(pid)
        for child in (task / "children").read_text(encoding="ascii").split()
    ]
    return [int(child) for child in found]
