"""What start.yml has systemd do with an agent, and when it takes it for working."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_systemd import RELEASE, Agent, Systemd, running
from local_host import LocalHost

UNIT = "routing_server"
WAIT_S = 2.0


class Host(LocalHost):
    """One with a router."""

    def __init__(self, tools: Any, collections: Path, cache: Path, place: Path) -> None:
        super().__init__(tools, collections, cache, place)
        self.tasks = ("start",)
        self.command = place / "nrs"
        self.valid()
        self.variables |= {
            "_common_unit": UNIT,
            "_common_agent": {
                "unit": UNIT,
                "release": RELEASE,
                "configuration": str(self.etc / "routing_server.yaml"),
                "command": str(self.command),
                "settle": 0,
                "wait": WAIT_S,
            },
        }

    def valid(self, refusal: str = "") -> None:
        """What the command says of the file."""
        self.command.write_text(f"#!/bin/sh\necho '{refusal}' >&2\ntest -z '{refusal}'\n")
        self.command.chmod(0o755)


@pytest.fixture
def systemd() -> Iterator[Systemd]:
    with running() as systemd:
        yield systemd


@pytest.fixture
def agent(systemd: Systemd) -> Agent:
    return systemd.add(UNIT)


@pytest.fixture
def host(tools: Any, installed: Path, cache: Path, tmp_path: Path, systemd: Systemd) -> Host:
    host = Host(tools, installed, cache, tmp_path)
    host.environment = systemd.environment
    return host


def test_an_agent_that_goes_by_all_is_left_alone(host: Host, agent: Agent) -> None:
    host.deploy(changed=0)
    assert agent.asked == []


def test_one_whose_variables_root_may_not_read_says_its_unit(host: Host, agent: Agent) -> None:
    agent.readable = False
    agent.start()
    host.deploy(changed=0)
    agent.write("0b")
    host.deploy(changed=1)
    host.deploy(changed=0)
    assert agent.asked == ["restart"]


def stopped(agent: Agent) -> None:
    agent.end()


def disabled(agent: Agent) -> None:
    agent.enabled = False


def new_unit(agent: Agent) -> None:
    agent.write("0b")


def new_release(agent: Agent) -> None:
    agent.release = "0.9.0"


def older_release(agent: Agent) -> None:
    agent.not_said = {"unit", "files_not_in_force", "reloads", "reload_error", "restart_needed"}


def new_files(agent: Agent) -> None:
    agent.stale = ["/etc/network-routing-system/psk"]


def new_port(agent: Agent) -> None:
    new_files(agent)
    agent.refuses, agent.restart_needed = "bind_port changed, which takes a restart", True


@pytest.mark.parametrize(
    ("interrupted", "asked"),
    [
        (stopped, ["start"]),
        (disabled, ["enable"]),
        (new_unit, ["restart"]),
        (new_release, ["restart"]),
        (older_release, ["restart"]),
        (new_files, ["reload"]),
        (new_port, ["reload", "restart"]),
    ],
)
def test_what_an_earlier_run_has_left_undone_is_done_once(
    host: Host, agent: Agent, interrupted: Any, asked: list[str]
) -> None:
    interrupted(agent)
    host.deploy("--check", changed=1)
    assert agent.asked == []
    host.deploy(changed=1)
    assert agent.asked == asked
    host.deploy(changed=0)
    assert agent.asked == asked


def test_a_crash_loop_fails_each_run_with_the_journal(host: Host, agent: Agent) -> None:
    agent.write("0b")
    agent.starts, agent.crashes = (lambda: False), True
    for _ in range(2):
        said = host.refused()
        assert "routing_server does not work: it crashes: systemd has started it" in said
        assert said.endswith("what it said last")


@pytest.mark.parametrize("ran", [0.0, 20.0])
def test_a_crash_loop_that_the_files_end_is_ended(host: Host, agent: Agent, ran: float) -> None:
    agent.end()
    agent.crashes, agent.ran = True, ran
    agent.write("0b")
    agent.load()
    if ran:
        host.deploy("--check", changed=1)
        host.deploy(changed=1)
        host.deploy(changed=0)
    else:
        assert "it has run for" in host.refused()
    assert agent.asked == ["restart"]


def test_one_that_crashed_a_moment_ago_is_not_believed_at_once(host: Host, agent: Agent) -> None:
    agent.restarts = 1
    assert "was started 1 times again" in host.refused()


def test_one_that_ends_at_once_fails_the_run(host: Host, agent: Agent) -> None:
    agent.end()
    agent.starts = lambda: False
    assert "it has ended (inactive)" in host.refused()


def test_one_that_would_not_run_after_a_boot_fails_the_run(host: Host, agent: Agent) -> None:
    agent.enabled = agent.may_be_enabled = False
    for _ in range(2):
        assert "Failed to enable unit routing_server" in host.refused()


def test_one_that_does_not_answer_fails_the_run(host: Host, agent: Agent) -> None:
    agent.answers = False
    assert "it does not answer on its control socket" in host.refused()


def test_one_that_comes_up_with_another_release_fails_the_run(host: Host, agent: Agent) -> None:
    agent.release = agent.installed = "0.9.0"
    assert f"it runs release 0.9.0, not {RELEASE}" in host.refused()


def test_tunnels_that_a_restart_has_cost_fail_the_run(host: Host, agent: Agent) -> None:
    everybody = [f"endpoint_{number:02}" for number in range(20)]
    agent.peers = everybody
    agent.write("0b")
    agent.back = lambda: everybody[3:]
    said = "its tunnels with endpoint_00, endpoint_01, endpoint_02 are not up again"
    assert said in host.refused()
    agent.peers = everybody
    agent.write("0c")
    agent.back = lambda: everybody[2:]
    host.deploy(changed=1)


def test_files_that_shut_somebody_out_do_not(host: Host, agent: Agent) -> None:
    agent.peers = ["endpoint_1"]
    new_port(agent)
    agent.back = list
    host.deploy(changed=1)


def crashing(agent: Agent) -> None:
    agent.end()
    agent.crashes = True


@pytest.mark.parametrize("interrupted", [new_unit, new_release, crashing])
def test_no_restart_with_files_that_the_release_refuses(
    host: Host, agent: Agent, interrupted: Any
) -> None:
    interrupted(agent)
    host.valid("tunnel.mtu: is required")
    assert "goes on as it was, for its files are no good: tunnel.mtu: is req" in host.refused()
    assert agent.asked == []


@pytest.mark.parametrize("restart", [False, True])
def test_a_refused_configuration_leaves_the_agent_running(
    host: Host, agent: Agent, restart: bool
) -> None:
    new_port(agent)
    agent.restart_needed = restart
    host.valid("tunnel.mtu: is required")
    said = host.refused()
    assert "it goes on as it was" in said
    assert ("tunnel.mtu: is required" if restart else "bind_port changed") in said
    assert agent.asked == ["reload"]
