"""Releases are rolled out under traffic: a good one costs nothing, a broken one is put back."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from releases import RATE, Release, Traffic, play, stamp

MARK = '"""Agents of the network routing system."""'
ROUTER = "router/agent.py"
INIT = "        super().__init__(start)\n"
TEND = "        self._drainer.tend()\n"
CRASHES = {
    "at start": (ROUTER, INIT, f"{INIT}        raise RuntimeError('it cannot start')\n"),
    "after ready": (
        ROUTER,
        TEND,
        f"{TEND}        if time.time() - self._down_since > 5:\n            raise OSError\n",
    ),
    "passes nothing": (
        "router/drainer.py",
        "rejecting=self._phase is Phase.DRAINED",
        "rejecting=True",
    ),
}
pytestmark = pytest.mark.timeout(1600)
"""Longer than the plays of a test, which say what they did when their own time is over."""
# Seconds in which one is over on a busy machine. Connections that a drain has left at a router are
# told that nothing passes there once its probes and what they carry agree on it.
FAILOVER_S = {"at start": 3, "after ready": 3, "passes nothing": 10}


@pytest.fixture(autouse=True)
def _settled(lab: Any, wait: Callable[..., float]) -> Iterator[None]:
    """Each test begins and ends with every tunnel up."""
    wait(lab.all_up, 60, "two tunnels of each endpoint up before the test")
    yield
    wait(lab.all_up, 60, "two tunnels of each endpoint up after the test")


def good(lab: Any, place: Path) -> Release:
    """What differs from what is deployed in a comment only."""
    return Release(lab, place, "__init__.py", MARK, f"{MARK}\n# another")


def started(lab: Any, *hosts: str) -> list[str]:
    """When the routers' processes were started."""
    show = ("systemctl", "show", "-p", "ExecMainStartTimestampMonotonic", "routing_server")
    return [lab.exec(host, *show) for host in hosts]


def test_a_router_is_upgraded_and_goes_back_without_loss(lab: Any, tmp_path: Path) -> None:
    release, router = good(lab, tmp_path), lab.active_router("endpoint_1")
    before = stamp(lab, router)
    traffic = Traffic(lab, "endpoint_1")
    upgraded = release.upgrade("--limit", router)
    assert upgraded.returncode == 0, upgraded.stdout
    assert stamp(lab, router) != before
    rolled_back = play(lab, "rollback", "--limit", router, "-e", "nrs_drain_wait=5")
    assert rolled_back.returncode == 0, rolled_back.stdout
    assert (stamp(lab, router), lab.status(router)["draining"]) == (before, False)
    assert traffic.end() == (0, True)
    again = play(lab, "rollback", "--limit", router)
    assert again.returncode != 0
    assert f"{router} stays as it is: no release before {before} is kept there" in again.stdout


@pytest.mark.nightly
def test_all_hosts_are_upgraded_without_loss(lab: Any, tmp_path: Path) -> None:
    release = good(lab, tmp_path)
    before = {host: stamp(lab, host) for host, _unit in lab.UNITS}
    traffic = Traffic(lab, "endpoint_1")
    upgraded = release.upgrade()
    assert upgraded.returncode == 0, upgraded.stdout
    assert [host for host, was in before.items() if stamp(lab, host) == was] == []
    assert traffic.end() == (0, True)
    assert play(lab, "verify").returncode == 0
    assert play(lab, "rollback").returncode == 0
    assert {host: stamp(lab, host) for host in before} == before


@pytest.mark.nightly
@pytest.mark.parametrize("how", CRASHES)
def test_a_broken_router_release_costs_one_failover(lab: Any, tmp_path: Path, how: str) -> None:
    release = Release(lab, tmp_path, *CRASHES[how])
    canary, others = "router_1", ("router_2", "router_3")
    before, unchanged = stamp(lab, canary), started(lab, *others)
    traffic = Traffic(lab, "endpoint_1")
    upgraded = release.upgrade("--limit", "routing_servers")
    assert upgraded.returncode != 0
    assert f"{canary} runs {before} again, as the change to" in upgraded.stdout
    assert (stamp(lab, canary), lab.status(canary)["draining"]) == (before, False)
    assert started(lab, *others) == unchanged
    lost, _ = traffic.end()
    assert lost <= FAILOVER_S[how] * RATE


@pytest.mark.nightly
def test_a_broken_endpoint_release_costs_its_slice(lab: Any, tmp_path: Path) -> None:
    release = Release(lab, tmp_path, "endpoint/agent.py", INIT, f"{INIT}        raise OSError\n")
    before = stamp(lab, "endpoint_1")
    upgraded = release.upgrade("--limit", "network_access_endpoints")
    assert upgraded.returncode != 0
    assert f"endpoint_1 runs {before} again, as the change to" in upgraded.stdout
    assert "endpoint_2 goes from" not in upgraded.stdout
    assert {stamp(lab, endpoint) for endpoint in lab.ENDPOINTS} == {before}


@pytest.mark.nightly
def test_a_run_that_was_cut_short_is_completed(
    lab: Any, wait: Callable[..., float], tmp_path: Path
) -> None:
    release, router = good(lab, tmp_path), "router_3"
    before = stamp(lab, router)
    run = lab.start_ansible(*release.words("--limit", router))
    try:
        wait(lambda: lab.status(router)["draining"], 200, "the router is drained")
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    assert release.upgrade("--limit", router).returncode == 0
    assert stamp(lab, router) != before
    assert not lab.status(router)["draining"]
    # What somebody has drained stays so.
    assert play(lab, "drain_router", "--limit", router).returncode == 0
    assert play(lab, "rollback", "--limit", router).returncode == 0
    assert (stamp(lab, router), lab.status(router)["draining"]) == (before, True)
    assert play(lab, "undrain_router", "--limit", router).returncode == 0
    assert not lab.status(router)["draining"]


@pytest.mark.nightly
def test_another_tunnel_protocol_is_asked_for_and_then_goes_through(
    lab: Any, wait: Callable[..., float], tmp_path: Path
) -> None:
    release, install = good(lab, tmp_path), "/opt/network-routing-system"
    hosts = [host for host, _unit in lab.UNITS]
    before = {host: stamp(lab, host) for host in hosts}
    (protocol,) = {lab.exec(host, "cat", f"{install}/current/protocol").strip() for host in hosts}

    def releases() -> list[str]:
        return [lab.exec(host, "ls", f"{install}/releases") for host in hosts]

    present, processes = releases(), started(lab, *lab.ROUTERS)
    for host in hosts:
        lab.exec(host, "sh", "-c", f"echo 1 >{install}/current/protocol")
    try:
        refused = release.upgrade()
        assert refused.returncode != 0
        counted = f"{len(lab.ROUTERS)} routers and {len(lab.ENDPOINTS)} endpoints"
        said = f"Nothing was changed. The tunnel protocol goes from 1 to {protocol} on {counted}"
        assert said in refused.stdout, refused.stdout
        assert said in release.upgrade("--check").stdout
        limited = release.upgrade("--limit", "router_1,endpoint_1").stdout
        left = "they stay without tunnels with these: endpoint_2, router_2, router_3."
        assert left in limited, limited
        assert (releases(), started(lab, *lab.ROUTERS)) == (present, processes)
        assert lab.all_up()

        accepted = release.upgrade("-e", "nrs_accept_interruption=true")
        assert accepted.returncode == 0, accepted.stdout
        assert [host for host, was in before.items() if stamp(lab, host) == was] == []
        wait(lab.all_up, 60, "all tunnels up by the other protocol")
        assert "to 1 on" in play(lab, "rollback").stdout
        back = play(lab, "rollback", "-e", "nrs_accept_interruption=true")
        assert back.returncode == 0, back.stdout
        assert {host: stamp(lab, host) for host in hosts} == before
    finally:
        script = f"echo {protocol} | tee {install}/releases/*/protocol"
        for host in hosts:
            lab.exec(host, "sh", "-c", script)
