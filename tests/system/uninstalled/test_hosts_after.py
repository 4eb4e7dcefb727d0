"""uninstall.yml leaves the hosts' networks and kernel parameters as they were before site.yml."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from host_state import changed, dumps


@pytest.fixture(scope="module")
def after(lab: Any) -> dict[str, list[str]]:
    """The hosts' state once everything is removed."""
    playbook = str(lab.checkout / "playbooks" / "uninstall.yml")
    ended = lab.ansible("ansible-playbook", playbook)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return dumps(lab)


def test_networks_and_parameters_are_as_before(lab: Any, after: dict[str, list[str]]) -> None:
    before = json.loads(Path(os.environ["NRS_HOSTS_BEFORE"]).read_text(encoding="utf-8"))
    assert {host: changed(before[host], after[host]) for host, _ in lab.UNITS} == {
        host: [] for host, _ in lab.UNITS
    }


def test_no_unit_is_left(lab: Any, after: dict[str, list[str]]) -> None:
    for host, unit in lab.UNITS:
        words = ("systemctl", "list-unit-files", "--no-legend", "network_routing*")
        # Its status is 1 where there are none.
        assert lab.run("exec", host, *words, check=False).stdout == "", host
        assert lab.run("exec", host, "systemctl", "cat", unit, check=False).returncode != 0, host
