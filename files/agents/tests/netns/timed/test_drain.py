"""Draining a router: what is told, what goes on, and how the rest ends."""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import one_router
from tests.netns.test_router_reports import SOON_S, pair, reported
from tests.netns.timed.test_planned_moves import Connections, echo
from tests.netns.world import AGENTS, BUSINESS, Agent, World

__all__ = ["pair"]


@pytest.fixture
def alone(world: World) -> tuple[World, Agent]:
    """A router, and an endpoint that knows no other."""
    return world, one_router(world)[0]


def nrs(router: Agent, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The `nrs` command as it runs on the router's host."""
    return subprocess.run(
        [sys.executable, "-m", "nrs", *arguments],
        env={
            **os.environ,
            "NRS_RUNTIME_DIRECTORY": str(router.directory),
            "PYTHONPATH": str(AGENTS),
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )


def rejects(world: World) -> bool:
    listing = world.exec("router_a", "nft", "list", "table", "inet", "nrs_routing_server")
    assert "masquerade" in listing
    assert "maxseg" in listing
    return "admin-prohibited" in listing


def error_of(one: socket.socket) -> int:
    """How the connection fails when it is used, within a few round trips."""
    one.settimeout(5)
    try:
        for _ in range(3):
            one.sendall(b"x")
            if not one.recv(10):
                return 0
    except OSError as error:
        return error.errno or errno.ETIMEDOUT
    return 0


@pytest.fixture(params=BUSINESS)
def connections(
    alone: tuple[World, Agent], request: pytest.FixtureRequest
) -> Iterator[Connections]:
    with ExitStack() as opened:
        yield Connections(alone[0], request.param, opened)


def test_connections_go_on_until_the_deadline_and_are_reset_then(
    alone: tuple[World, Agent], connections: Connections
) -> None:
    world, router = alone
    first, second = connections.make(), connections.make()
    assert nrs(router, "drain").returncode == 0
    echo(*first[:2])
    assert not rejects(world)
    router.command("drain", deadline=1.5)
    echo(*first[:2])
    wait_until(lambda: rejects(world), 6, "the deadline is over")
    # The business server writes in the one, the client in the other: through the NAT both ways.
    assert error_of(first[0]) == errno.ECONNRESET
    assert error_of(second[1]) == errno.ECONNRESET


@pytest.mark.parametrize("address", BUSINESS)
def test_what_is_not_tcp_is_told_too(alone: tuple[World, Agent], address: str) -> None:
    world, router = alone
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    router.command("drain", deadline=0)
    with world.socket("endpoint", family, socket.SOCK_DGRAM) as near:
        near.connect((address, 9))
        assert error_of(near) in {errno.EHOSTUNREACH, errno.EACCES}


def test_undrain_takes_everything_back(
    alone: tuple[World, Agent], connections: Connections
) -> None:
    world, router = alone
    router.command("drain", deadline=0)
    assert rejects(world)
    done = nrs(router, "undrain")
    assert (done.returncode, done.stdout) == (0, "in service again\n")
    assert not rejects(world)
    echo(*connections.make()[:2])
    done = nrs(router, "undrain")
    assert (done.returncode, done.stdout) == (0, "was not draining\n")
    assert router.status()["draining"] is False


def test_the_command_says_what_it_did(alone: tuple[World, Agent]) -> None:
    world, router = alone
    world.ping(BUSINESS[0])
    done = nrs(router, "drain", "--deadline", "200")
    assert done.stdout == (
        "draining: connections that are left in 200 s are reset; 1 tunnel in use\n"
    )
    again = nrs(router, "drain")
    assert again.returncode == 0
    assert re.match(r"already draining: connections that are left in (1\d\d|200) s", again.stdout)
    shown = nrs(router, "status").stdout
    assert "draining: yes" in shown
    assert "tunnels in use: 1" in shown
    assert [tunnel["in_use"] for tunnel in router.status()["tunnels"]] == [True]
    assert re.search(r"drain seconds left: (1\d\d|200)$", shown, re.MULTILINE)
    assert nrs(router, "drain", "--deadline", "-1").returncode == 2
    assert nrs(router, "drain", "--deadline", "soon").returncode == 2
    assert router.status()["drain_seconds_left"] > 150


def test_a_restart_and_a_reload_keep_it(alone: tuple[World, Agent]) -> None:
    world, router = alone
    router.command("drain", deadline=500)
    router.kill()
    router.start()
    wait_until(lambda: router.status().get("draining"), 20, "it drains again")
    assert 400 < router.status()["drain_seconds_left"] <= 500
    router.command("drain", deadline=0)
    router.kill()
    router.start()
    wait_until(lambda: router.status().get("draining"), 20, "it drains again")
    assert rejects(world)
    router.write({**router.config, "metrics": {"report_interval": 5.0}})
    router.signal(signal.SIGHUP)
    wait_until(lambda: "configuration reloaded" in router.log, 10, "reloaded")
    assert rejects(world)
    router.command("undrain")
    router.kill()
    router.start()
    wait_until(lambda: router.status().get("draining") is False, 20, "it is in service")
    assert not rejects(world)


def test_the_load_balancer_knows_at_once(pair: tuple[Agent, Agent]) -> None:
    balancer, router = pair
    router.command("drain", deadline=300)
    wait_until(lambda: reported(balancer)["status"] == "draining", SOON_S, "it is known")
    router.command("undrain")
    wait_until(lambda: reported(balancer)["status"] == "active", SOON_S, "it is used again")
