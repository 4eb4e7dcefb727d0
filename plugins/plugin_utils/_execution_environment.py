# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether what a run writes on the control node is there for the next run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

_MARKS = ("LAUNCHED_BY_RUNNER", "AWX_PRIVATE_DATA_DIR")
"""Set by ansible-runner (and ansible-navigator) in a container, and by AWX for a job."""
_OF_RUNNER = "/runner"
"""Where ansible-runner has its own directory in a container: AWX makes one for each job."""
_GONE_WITH_A_CONTAINER = ("overlay", "tmpfs", "ramfs")


def thrown_away(directory: Path, environment: Mapping[str, str], mounts: str) -> str:
    """Why new files of `directory`, which need not be there, are no more in the next run, or empty.

    `mounts` is /proc/self/mountinfo (proc_pid_mountinfo(5)); empty where there is none.
    """
    present = next(path for path in (directory, *directory.parents) if os.access(path, os.F_OK))
    if not os.access(present, os.W_OK | os.X_OK):
        return "cannot be written to"
    if not any(environment.get(mark) for mark in _MARKS):
        return ""
    for private in filter(None, (_OF_RUNNER, environment.get("AWX_PRIVATE_DATA_DIR"))):
        if directory.is_relative_to(private):
            return "is the execution environment's own, made for this run"
    point, kind = max(
        (mount for mount in _mounts(mounts) if directory.is_relative_to(mount[0])),
        key=lambda mount: len(Path(mount[0]).parts),
        default=("/", "overlay"),
    )
    if point == "/" or kind in _GONE_WITH_A_CONTAINER:
        return "goes with the execution environment, in which it is on no volume"
    return ""


def _mounts(table: str) -> Iterator[tuple[str, str]]:
    """Mount points with their kinds of file system, those on top first."""
    for line in reversed(table.splitlines()):
        mount, filesystem = line.split(" - ", 1)
        # Blanks and the like are written as octal numbers.
        point = mount.split()[4].encode().decode("unicode_escape").encode("latin-1").decode()
        yield point, filesystem.split()[0]
