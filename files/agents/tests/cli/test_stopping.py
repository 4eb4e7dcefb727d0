"""`nrs stopping` between a systemctl of the test's own and a control socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nrs.system.control import ControlThread, socket_path

from .conftest import Nrs


@pytest.fixture
def told() -> Iterator[list[bool]]:
    """What an agent is told: whether it is a restart."""
    said: list[bool] = []
    thread = ControlThread(
        socket_path("routing_server"),
        {"stopping": lambda request: said.append(request["restarting"])},
    )
    thread.start()
    yield said
    thread.stop()


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What systemd says of its jobs."""
    directory = tmp_path / "bin"
    directory.mkdir()
    jobs = tmp_path / "jobs"
    script = directory / "systemctl"
    script.write_text(f'#!/bin/sh\n[ "$1" = list-jobs ] && cat {jobs}\n', encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")
    return jobs


@pytest.fixture
def usable(tmp_path: Path) -> Path:
    """A configuration that a routing server can run with."""
    file = tmp_path / "routing_server.yaml"
    file.write_text(
        """
server: {server_id: r1, name: r1, tunnel_id: 1, egress_interface: eth1}
tunnel: {psk: uDzOuC4dtKNKGPxNQ3uQcKwrqJXYfRqyZWDbpMpJKs4=, tun_ipv4: 10.10.1.1/16,
         tun_ipv6: "fd00:10:1::1/32"}
load_balancer: {url: "http://127.0.0.1:8080"}
""",
        encoding="utf-8",
    )
    return file


RESTART = "  81 routing_server.service restart running\n"
OTHERS = " 7 nrs.service restart running\n 8 routing_server.service.d restart waiting\n"


@pytest.mark.parametrize(
    ("jobs", "restarting"),
    [
        (RESTART, True),
        (OTHERS + RESTART, True),
        ("  81 routing_server.service stop running\n", False),
        (OTHERS, False),
        ("", False),
        ("\n", False),
    ],
)
def test_an_agent_is_told_whether_it_is_a_restart(
    nrs: Nrs, told: list[bool], systemctl: Path, usable: Path, jobs: str, restarting: bool
) -> None:
    systemctl.write_text(jobs, encoding="utf-8")
    done = nrs("stopping", "--config", usable, "routing_server")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert told == [restarting]


def test_a_restart_with_a_file_that_cannot_be_used_is_a_stop(
    nrs: Nrs, told: list[bool], systemctl: Path, usable: Path
) -> None:
    systemctl.write_text(RESTART, encoding="utf-8")
    with usable.open("a", encoding="utf-8") as file:
        file.write("surprise: true\n")
    done = nrs("stopping", "--config", usable, "routing_server")
    assert "surprise" in done.stderr
    assert told == [False]


def test_an_agent_that_does_not_answer_is_stopped_all_the_same(
    nrs: Nrs, systemctl: Path, usable: Path
) -> None:
    systemctl.write_text("", encoding="utf-8")
    done = nrs("stopping", "routing_server")
    assert (done.returncode, done.stderr) == (0, "")
    systemctl.write_text(RESTART, encoding="utf-8")
    done = nrs("stopping", "--config", usable, "routing_server")
    assert done.returncode == 1
    assert "begins anew after this restart" in done.stderr


def test_without_systemd_it_counts_as_a_stop(
    nrs: Nrs, told: list[bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = nrs("stopping", "routing_server")
    assert done.returncode == 0
    assert told == [False]


def test_it_is_not_for_people(nrs: Nrs) -> None:
    assert "stopping" not in nrs("--help").stdout
