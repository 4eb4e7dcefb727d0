"""`nrs cleanup`: when it cleans. What it removes is tested in namespaces:
tests/netns/host/test_host_network.py.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest

from nrs.agent import leftover_forwarding, run
from nrs.cli import cleanup
from nrs.cli.cleanup import is_over
from nrs.cli.units import UNITS
from nrs.system import nftables
from nrs.system.nftables import NftablesError

from .conftest import Nrs

ENDED = {"EXIT_CODE": "exited", "EXIT_STATUS": "0"}
REFUSED = {"EXIT_CODE": "exited", "EXIT_STATUS": "2"}
COULD_NOT = {"EXIT_CODE": "exited", "EXIT_STATUS": "1"}
KILLED = {"EXIT_CODE": "killed", "EXIT_STATUS": "KILL"}


@pytest.mark.parametrize(
    ("ended", "job", "over"),
    [
        (REFUSED, None, True),
        (REFUSED, "restart", True),
        (KILLED, None, False),
        (KILLED, "restart", False),
        (KILLED, "start", False),
        (KILLED, "stop", True),
        (COULD_NOT, None, False),
        (COULD_NOT, "stop", True),
        (ENDED, "restart", False),
        ({"EXIT_CODE": "killed", "EXIT_STATUS": "2"}, None, False),
        ({}, None, False),
    ],
)
def test_a_unit_is_over_when_systemd_does_not_start_it_again(
    ended: dict[str, str], job: str | None, over: bool
) -> None:
    assert is_over(ended, job) is over


def test_the_status_is_that_of_an_agent() -> None:
    assert str(run.WRONG_CONFIGURATION) == cleanup.WRONG_CONFIGURATION


def test_a_running_agent_is_left_alone(
    nrs: Nrs, agent: Callable[[str, dict[str, Any]], None]
) -> None:
    agent("network_access_endpoint", {})
    done = nrs("cleanup", "--unit", "network_access_endpoint")
    assert done.returncode == 1
    assert done.stderr == (
        "network_access_endpoint is running: systemctl stop network_access_endpoint\n"
    )


@pytest.mark.parametrize("unit", ["routing_server", "network_access_endpoint"])
def test_what_cannot_be_removed_keeps_nothing_else(
    inline: Nrs, monkeypatch: pytest.MonkeyPatch, unit: str
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(1, "Operation not permitted")

    def miss() -> None:
        raise NftablesError("nft is not installed")

    leftovers = importlib.import_module(f"{UNITS[unit].package}.leftovers")
    monkeypatch.setattr(leftovers, "remove_leftovers", refuse)
    monkeypatch.setattr(leftover_forwarding, "turn_off", lambda of: [f"forwarding of {of}"])
    monkeypatch.setattr(nftables, "remove", miss)
    done = inline("cleanup", "--unit", unit)
    assert done.returncode == 1
    assert done.stdout == f"{unit}: forwarding of {unit}\n"
    assert done.stderr.startswith(f"{unit}: [Errno 1] Operation not permitted\n")
    assert ("nft is not installed" in done.stderr) is (unit == "routing_server")


def test_units_that_change_no_network_have_nothing_to_clean(nrs: Nrs) -> None:
    assert nrs("cleanup", "--unit", "load_balancer").returncode == 2
