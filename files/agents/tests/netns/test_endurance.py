"""A hundred faults leave the memory and the open files of every agent as they were."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from testbed.wait import wait_until

from nrs.endpoint.events import MOST_KEPT
from tests.endpoint.switches import switch
from tests.netns.conftest import both_up
from tests.netns.faults import BLACKHOLE, EGRESS, KILL, Fault
from tests.netns.timed.test_failover import active_of
from tests.netns.world import BUSINESS, Agent, World

WARM_UP, PARTS, CYCLES = 30, 3, 30
MOST_BYTES = {"agent": 1024 * CYCLES, "companion": 4096 * CYCLES}
"""In the part in which it grows least: what is lost at a fault is lost in each, while what is used
for the first time costs once. An agent grows by 0 to 25 KB in a part, its companion by 4 to 30."""
MOST_FILES = 3
"""Some are open for a moment."""
KILLED = "router_b"


@dataclass(frozen=True)
class Cycle:
    """A fault of a router, the active one unless stated, until something shows of it."""

    fault: Fault
    shows: Callable[[Agent, str], bool]
    router: str | None = None


def moved(endpoint: Agent, left: str) -> bool:
    return active_of(endpoint) != left


def down(endpoint: Agent, left: str) -> bool:
    return bool(endpoint.tunnels()[left]["state"] == "down")


SHORT, LONG = Cycle(BLACKHOLE, moved), Cycle(BLACKHOLE, down)
"""After a long one there is a new session."""
USELESS, RESTART = Cycle(EGRESS, moved), Cycle(KILL, down, KILLED)
ROUND = [*[SHORT, LONG, LONG, USELESS, LONG, SHORT] * 3, LONG, RESTART]


def run(cycle: Cycle, world: World, routers: dict[str, Agent], endpoint: Agent) -> None:
    hit = cycle.router or active_of(endpoint)
    cycle.fault.begin(world, routers[hit])
    wait_until(lambda: cycle.shows(endpoint, hit), 20, f"{cycle.fault} of {hit} shows")
    cycle.fault.end(world, routers[hit])
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up again")


def figures(agents: dict[str, Agent]) -> dict[str, tuple[int, int]]:
    """Memory and open files of each agent's process, and of its companion's."""
    found = {}
    for name, agent in agents.items():
        companion = wait_until(lambda of=agent: of.companion, 5, "the companion runs")
        for kind, pid in zip(MOST_BYTES, (agent.process.pid, companion), strict=True):
            found[f"{name}'s {kind}"] = anonymous_bytes(pid), open_files(pid)
    return found


def anonymous_bytes(pid: int) -> int:
    """Memory of the process's own, without what it maps from files."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    line = next(line for line in rollup.splitlines() if line.startswith("Anonymous:"))
    return int(line.split()[1]) * 1024


def open_files(pid: int) -> int:
    """How many descriptors the process has."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_a_hundred_faults_leave_nothing_behind(world: World) -> None:
    # glibc: what is freed goes back at once, so that nothing that is lost finds room there.
    world.environment |= dict.fromkeys(
        ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(32 * 1024)
    )
    directory = world.directory / "endpoint"
    directory.mkdir()
    remembered = [json.dumps(switch(n + 1).as_dict()) for n in range(MOST_KEPT)]
    (directory / "events.jsonl").write_text("\n".join([*remembered, ""]), encoding="utf-8")
    world.managed = True
    routers = {name: world.router(name) for name in ("router_a", "router_b")}
    endpoint = world.endpoint(tunnel={"keepalive_interval": 0.1})
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    ping = ("ping", "-q", "-i", "0.01", BUSINESS[0])
    world.popen("endpoint", *ping, stdout=subprocess.DEVNULL)

    cycles = itertools.cycle(ROUND)
    for cycle in itertools.islice(cycles, WARM_UP):
        run(cycle, world, routers, endpoint)
    lasting = {"endpoint": endpoint, **{n: r for n, r in routers.items() if n != KILLED}}
    seen = [figures(lasting)]
    for _ in range(PARTS):
        for cycle in itertools.islice(cycles, CYCLES):
            run(cycle, world, routers, endpoint)
        seen.append(figures(lasting))
    print(*seen, sep=os.linesep)
    assert all(figure.keys() == seen[0].keys() for figure in seen)
    for process in seen[0]:
        memory, files = zip(*(figure[process] for figure in seen), strict=True)
        growth = min(after - before for before, after in itertools.pairwise(memory))
        assert growth <= MOST_BYTES[process.partition("'s ")[2]], process
        assert files[-1] - files[0] <= MOST_FILES, process
