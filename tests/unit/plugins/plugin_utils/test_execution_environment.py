# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directories of a control node that are there for the next run, and others."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.nrs.network_routing.plugins.plugin_utils import (
    _execution_environment as execution_environment,
)

RUNNER = {"LAUNCHED_BY_RUNNER": "1"}
JOB = {"AWX_PRIVATE_DATA_DIR": "/srv/awx_7_x"}
MOUNTS = """\
600 500 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/l
601 600 0:51 / /dev rw,nosuid - tmpfs tmpfs rw
602 600 254:0 /home/me/project /runner rw,relatime - ext4 /dev/vda rw
603 600 254:0 /home/me/site /home/me/a\\040site rw,relatime shared:1 - ext4 /dev/vda rw
604 600 0:60 / /srv rw - nfs4 store:/export rw
605 604 0:61 / /srv/scratch rw - tmpfs tmpfs rw
"""


def why(directory: str, environment: dict[str, str], mounts: str = MOUNTS) -> str:
    return execution_environment.thrown_away(Path(directory), environment, mounts)


@pytest.mark.parametrize("environment", [RUNNER, JOB])
@pytest.mark.parametrize("directory", ["/home/me/a site/.secrets", "/srv/nrs", "/srv"])
def test_what_is_on_a_volume_is_kept(directory: str, environment: dict[str, str]) -> None:
    assert why(directory, environment) == ""


@pytest.mark.parametrize("environment", [RUNNER, JOB])
@pytest.mark.parametrize("directory", ["/opt/.secrets", "/dev/pts/x", "/srv/scratch/x"])
def test_what_is_in_the_container_goes_with_it(directory: str, environment: dict[str, str]) -> None:
    assert why(directory, environment).startswith("goes with the execution environment")
    assert why(directory, environment, "").startswith("goes with the execution environment")


def test_the_environments_own_is_made_for_a_run() -> None:
    assert "made for this run" in why("/runner/project/.secrets", RUNNER)
    assert "made for this run" in why("/srv/awx_7_x/project/.secrets", JOB)
    assert why("/srv/awx_7_x/project/.secrets", RUNNER) == ""


@pytest.mark.parametrize("directory", ["/opt/.secrets", "/runner/project/.secrets"])
@pytest.mark.parametrize("mounts", [MOUNTS, ""])
def test_a_control_node_keeps_what_it_has(directory: str, mounts: str) -> None:
    assert why(directory, {}, mounts) == ""
    assert why(directory, {"LAUNCHED_BY_RUNNER": ""}, mounts) == ""


def test_what_cannot_be_written_to_keeps_nothing() -> None:
    assert why("/proc/1/nobody/.secrets", {}) == "cannot be written to"
