"""`nrs status` against real control sockets."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nrs.cli.status import ask
from nrs.system.control import socket_path

from .conftest import Nrs

Agent = Callable[[str, dict[str, Any]], None]

ROUTER = {
    "role": "routing_server",
    "problems": [{"what": "nothing leaves", "since": 1.0}],
    "id": "router_1",
    "codec": "python",
    "crypto": "libcrypto",
    "offloads": ["tso4"],
    "tunnels": [
        {"endpoint_id": "endpoint_1", "up": True, "active": True, "rtt_ms": 0.25, "since": 1.0}
    ],
}
BALANCER = {
    "role": "load_balancer",
    "id": "lb",
    "codec": None,
    "offloads": [],
    "tunnels": [],
    "servers": [{"server_id": "router_1", "status": "active", "score": 0.875}],
}


def test_one_agent_is_one_object_exactly_as_it_answered(nrs: Nrs, agent: Agent) -> None:
    agent("routing_server", ROUTER)
    done = nrs("status", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == ROUTER


def test_several_agents_are_a_list_unless_one_is_asked_for(nrs: Nrs, agent: Agent) -> None:
    agent("load_balancer", BALANCER)
    agent("routing_server", ROUTER)
    assert json.loads(nrs("status", "--json").stdout) == [ROUTER, BALANCER]
    assert json.loads(nrs("status", "--json", "--unit", "load_balancer").stdout) == BALANCER


def test_people_get_tables_that_are_not_cut_in_a_pipe(nrs: Nrs, agent: Agent) -> None:
    agent("load_balancer", BALANCER)
    agent("routing_server", ROUTER)
    done = nrs("status")
    assert done.returncode == 0
    lines = [line.split() for line in done.stdout.splitlines() if line.strip()]
    said = done.stdout.splitlines()
    headline = next(number for number, line in enumerate(said) if line.startswith("routing_server"))
    assert said[headline + 1].endswith(": nothing leaves")
    assert ["routing_server", "router_1", "codec", "python,", "offloads", "tso4"] in lines
    assert ["crypto:", "libcrypto"] in lines
    assert ["peer", "state", "active", "rtt", "path", "MTU", "address", "since"] in lines
    assert any(line[:5] == ["endpoint_1", "up", "yes", "0.25", "ms"] for line in lines)
    assert any(line[:3] == ["router_1", "active", "0.875"] for line in lines)


def test_with_no_agent_it_exits_1_and_says_where_it_looked(nrs: Nrs, runtime: Path) -> None:
    done = nrs("status", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (f"no agent is running on this host: no control socket under {runtime}\n")


def test_an_agent_that_does_not_run_is_named(nrs: Nrs, agent: Agent, runtime: Path) -> None:
    agent("load_balancer", BALANCER)
    done = nrs("status", "--unit", "routing_server")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "routing_server is not running on this host:"
        f" no control socket at {runtime}/routing_server.sock\n"
    )


def test_a_dead_agents_socket_is_a_problem_and_the_others_answer_still(
    nrs: Nrs, agent: Agent, runtime: Path
) -> None:
    agent("load_balancer", BALANCER)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(runtime / "routing_server.sock"))
    done = nrs("status", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == BALANCER
    assert done.stderr.startswith("routing_server: no answer from the agent at ")
    assert "Connection refused" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_who_may_not_ask_is_told_so(agent: Agent) -> None:
    agent("load_balancer", BALANCER)
    os.seteuid(65534)
    try:
        reports, problems = ask(["load_balancer"])
    finally:
        os.seteuid(0)
    assert reports == []
    path = socket_path("load_balancer")
    assert problems == [f"load_balancer: permission denied at {path}: run `nrs status` as root"]
