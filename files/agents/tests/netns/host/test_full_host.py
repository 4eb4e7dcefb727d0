"""A host that has no room, or a device that is not ours: a clear line each, and no more."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import one_router
from tests.netns.world import BUSINESS, Agent, World

NOISE = ("Traceback", "Logging error")


@pytest.fixture
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with room for 256 KiB."""
    path = tmp_path_factory.mktemp("disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def fill(disk: Path) -> Path:
    """Up to the last byte, also of the pages that files there have begun."""
    ballast = disk / "ballast"
    for path in (ballast, *filter(Path.is_file, disk.iterdir())):
        with path.open("ab", buffering=0) as file:
            for size in (4096, 1):
                with suppress(OSError):
                    while file.write(bytes(size)):
                        pass
    return ballast


def quiet(agent: Agent) -> bool:
    return not any(noise in agent.log for noise in NOISE)


def test_a_full_disk_is_told_once_by_each_process(world: World, small_disk: Path) -> None:
    log_file = small_disk / "router.log"
    router = world.router("router_a", server={"log_file": str(log_file)})
    wait_until((small_disk / "router.reporter.log").exists, 20, "both processes log")
    ballast = fill(small_disk)
    _, endpoint = one_router(world, router=router)
    for _ in range(3):
        endpoint.stop()
        endpoint.start()
        wait_until(lambda: endpoint.tunnels().get("router_a", {}).get("up"), 20, "the tunnel is up")
    assert world.ping(BUSINESS[0])
    assert quiet(router)
    assert router.log.count(f"{log_file} cannot be written: No space left on device") == 1
    assert router.log.count("router.reporter.log cannot be written") <= 1
    ballast.unlink()
    endpoint.stop()
    wait_until(lambda: f"{log_file} can be written again" in router.log, 10, "it is told")
    assert router.stop() == 0
    assert quiet(router)


def test_an_agent_starts_on_a_full_disk(world: World, small_disk: Path) -> None:
    fill(small_disk)
    router = world.router("router_a", server={"log_file": str(small_disk / "new" / "router.log")})
    wait_until(lambda: router.status().get("role"), 20, "the router runs")
    assert router.stop() == 0
    assert quiet(router)


def limit_descriptors(agent: Agent, most: int) -> None:
    """What it has it keeps."""
    pid = agent.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, hard))


@pytest.mark.parametrize("role", ["router", "endpoint"])
def test_without_descriptors_packets_go_on(world: World, role: str) -> None:
    router, endpoint = one_router(world)
    agent = {"router": router, "endpoint": endpoint}[role]
    child = wait_until(lambda: agent.companion, 10, "the companion runs")
    limit_descriptors(agent, 3)  # the companion keeps what it was started with
    subprocess.run(["kill", "-KILL", str(child)], check=True)
    wait_until(lambda: "ended with status" in agent.log, 10, "the companion has ended")
    assert agent.status() == {}  # there is no descriptor to ask it by
    assert world.ping(BUSINESS[0], 20)
    assert agent.process.poll() is None
    assert quiet(agent)
    assert len(agent.log.splitlines()) < 20
    limit_descriptors(agent, 1024)
    wait_until(lambda: agent.status().get("role"), 10, "it answers again")
    assert quiet(agent)


def bridge(world: World) -> None:
    world.ip("router_a", "link", "add", "tun0", "type", "bridge")


def tap(world: World) -> None:
    world.ip("router_a", "tuntap", "add", "tun0", "mode", "tap")


@pytest.mark.parametrize("make", [bridge, tap])
def test_a_device_of_another_kind(world: World, make: Callable[[World], None]) -> None:
    make(world)
    router = world.router("router_a")
    assert router.process.wait(20) == 1
    (line,) = [line for line in router.log.splitlines() if "tun0" in line]
    assert "cannot start: " in line
    assert "the device tun0 exists and is of another kind" in line
    assert quiet(router)


def test_a_persistent_device_is_used_and_left_as_it_was(world: World) -> None:
    world.ip("router_a", "tuntap", "add", "tun0", "mode", "tun")
    world.address("router_a", "tun0", "192.0.2.129/32")
    for state in ("up", "down"):  # which gives it a queue
        world.ip("router_a", "link", "set", "tun0", state)
    before = world.ip("router_a", "addr", "show", "dev", "tun0")
    router, _ = one_router(world)
    assert world.ping(BUSINESS[0])
    assert router.log.count("the persistent device tun0") == 1
    assert router.stop() == 0
    assert world.ip("router_a", "addr", "show", "dev", "tun0") == before
    assert quiet(router)
