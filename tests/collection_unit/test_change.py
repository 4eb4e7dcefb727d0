"""A host whose release changes goes back where it does not work, in this run or a later one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from changing_host import ChangingHost
from fake_systemd import Systemd, running

UNIT = "load_balancer"


@pytest.fixture
def systemd() -> Iterator[Systemd]:
    with running() as systemd:
        yield systemd


@pytest.fixture
def host(
    tools: Any, installed: Path, cache: Path, tmp_path: Path, systemd: Systemd
) -> ChangingHost:
    host = ChangingHost(tools, installed, cache, tmp_path, systemd.add(UNIT))
    host.environment = systemd.environment
    return host


def test_a_release_that_works_stays_and_the_one_before_is_kept(host: ChangingHost) -> None:
    host.roll_out()
    assert (host.current(), host.agent.release) == ("new", "new")
    assert (host.opt / "previous").resolve().name == "old"
    assert not (host.opt / "unfinished").exists()


def test_a_check_run_leaves_all_as_it_is(host: ChangingHost) -> None:
    assert "would go from old to new" in host.roll_out("--check")
    assert (host.current(), host.agent.asked) == ("old", [])
    assert not (host.opt / "unfinished").exists()


def test_one_that_does_not_start_makes_room_for_the_one_before(host: ChangingHost) -> None:
    host.broken.add("new")
    said = host.refused()
    assert said.startswith("here runs old again, as the change to new failed: load_balancer does")
    assert (host.current(), host.agent.release) == ("old", "old")
    assert (host.etc / f"{UNIT}.yaml").read_text() == "file of old\n"
    assert not (host.opt / "unfinished").exists()


def test_a_later_run_undoes_what_was_cut_short(host: ChangingHost) -> None:
    host.broken |= {"old", "new"}
    host.refused()
    assert (host.opt / "unfinished").is_dir()
    host.broken = {"new"}
    (host.etc / f"{UNIT}.yaml").write_text("of somebody between\n")
    host.refused()
    assert (host.current(), host.agent.release) == ("old", "old")
    assert (host.etc / f"{UNIT}.yaml").read_text() == "file of old\n"


def test_a_change_that_was_cut_short_is_undone_before_another_is_judged_by_what_worked(
    host: ChangingHost,
) -> None:
    host.broken |= {"old", "new"}
    said = host.refused()
    assert said.startswith(
        "here does not work by the release before either, after the change to new"
    )
    host.broken.clear()
    host.variables["__common_probe"] = {"stdout": json.dumps({"files": [], "unfinished": "old"})}
    host.roll_out()
    assert host.started[-2:] == ["old", "new"]
    assert (host.opt / "previous").resolve().name == "old"
    assert not (host.opt / "unfinished").exists()


def test_no_other_host_is_tried_where_too_many_were_lost(host: ChangingHost) -> None:
    tried = {"__common_change_begun": True}
    host.hosts["lost"] = tried | {"__common_change_ended": False}
    host.hosts["through"] = tried | {"__common_change_ended": True}
    said = host.refused()
    assert "here stays as it is: of the hosts that were tried before it 50.0 %" in said
    assert (host.current(), host.agent.asked) == ("old", [])
