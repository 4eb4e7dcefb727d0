# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done with an agent by what is in force, and when it is seen as working."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.module_utils._agent import (
    Seen,
    Step,
    expected,
    failure,
    lack,
    settling,
    step,
)

RELEASE = "1.0.0 0a 3.11-x86_64"
STATUS: dict[str, Any] = {"release": RELEASE, "files_not_in_force": [], "tunnels": []}
GOOD = Seen(
    state="active",
    restarts=0,
    age=60.0,
    enabled=True,
    written="0a",
    loaded="0a",
    status=STATUS,
)


def seen(status: dict[str, Any] | None = None, **changes: Any) -> Seen:
    return dataclasses.replace(GOOD, status={**STATUS, **(status or {})}, **changes)


def with_peers(*up: str) -> Seen:
    tunnels = [{"endpoint_id": peer, "up": True} for peer in up]
    return seen({"tunnels": [*tunnels, {"router_id": "router_9", "up": False}]})


@pytest.mark.parametrize(
    ("found", "verb"),
    [
        (GOOD, None),
        (seen(state="inactive"), "start"),
        (seen(state="failed", loaded=""), "start"),
        (seen(loaded=""), "restart"),
        (seen({"release": "0.9.0"}), "restart"),
        (seen({"release": "0.9.0", "files_not_in_force": ["psk"]}), "restart"),
        (seen({"files_not_in_force": ["psk"]}), "reload"),
        (dataclasses.replace(GOOD, status=None), None),
        (dataclasses.replace(GOOD, status=None, state="activating"), None),
        (dataclasses.replace(GOOD, status=None, state="activating", restarts=1), "restart"),
        (seen(restarts=1), None),
        (seen(state="failed", restarts=1), "start"),
    ],
)
def test_the_step_by_what_is_in_force(found: Seen, verb: str | None) -> None:
    taken = step(found, RELEASE)
    assert (taken and taken.verb) == verb


@pytest.mark.parametrize(
    ("found", "settle", "why"),
    [
        (GOOD, 3.0, None),
        (seen(state="activating"), 0.0, "it is not ready"),
        (dataclasses.replace(GOOD, status=None), 0.0, "does not answer"),
        (seen(loaded="0b"), 0.0, "by an earlier unit"),
        (seen({"release": "0.9.0"}), 0.0, "it runs release 0.9.0, not"),
        (seen({"files_not_in_force": ["/etc/psk"]}), 0.0, "it does not go by /etc/psk"),
        (seen(age=2.9), 3.0, "it has run for 2 s"),
        (seen(age=3.0), 3.0, None),
        (seen(age=19.0, restarts=1), 3.0, "was started 1 times again"),
        (seen(age=20.0, restarts=1), 3.0, None),
    ],
)
def test_what_an_agent_lacks(found: Seen, settle: float, why: str | None) -> None:
    told = lack(found, RELEASE, set(), settle)
    assert told is None if why is None else why in str(told)


def test_a_tenth_of_the_tunnels_may_be_missed() -> None:
    peers = {"endpoint_%d" % number for number in range(10)}
    assert lack(with_peers(*sorted(peers)[1:]), RELEASE, peers, 0) is None
    assert "endpoint_0, endpoint_1" in str(lack(with_peers(*sorted(peers)[2:]), RELEASE, peers, 0))
    assert lack(with_peers(), RELEASE, {"endpoint_1"}, 0) is not None


def test_tunnels_are_expected_back_where_no_file_may_have_shut_them_out() -> None:
    before = with_peers("endpoint_1")
    assert expected(before, Step("restart", "")) == {"endpoint_1"}
    assert expected(before, Step("reload", "")) == expected(before, None) == set()
    stale = seen({"tunnels": STATUS["tunnels"], "files_not_in_force": ["psk"]})
    assert expected(stale, Step("restart", "")) == set()
    older = dataclasses.replace(
        GOOD, status={"tunnels": [{"endpoint_id": "endpoint_1", "up": True}]}
    )
    assert older.peers == {"endpoint_1"}
    assert expected(older, Step("restart", "")) == set()


@pytest.mark.parametrize(
    ("before", "settle", "needed"),
    [
        (seen(restarts=1), 3.0, 3.0),
        (seen(state="activating"), 3.0, 3.0),
        (seen(state="activating", restarts=1), 3.0, 20.0),
        (seen(state="activating", restarts=1), 30.0, 30.0),
    ],
)
def test_one_found_crashing_has_to_run_for_longer(
    before: Seen, settle: float, needed: float
) -> None:
    assert settling(before, settle) == needed


def test_what_is_not_waited_for() -> None:
    assert failure(GOOD, GOOD) is None
    assert failure(seen(restarts=3), seen(restarts=3)) is None
    assert "it crashes" in str(failure(seen(restarts=4), seen(restarts=3)))
    assert "it has ended (failed)" in str(failure(seen(state="failed"), GOOD))
