# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remove the releases of the agents that this host does not need any more.

Usage: old_releases.py DIRECTORY STAMP [--dry-run]. Kept are the release with that stamp, which
is or is going to be the present one, the one before it, or that to which an unfinished change would
go back, what agents are started from and were before, and all that a process runs from. Prints the
names of the others, a line each, which are removed unless it is a dry run.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path


def superfluous(
    ages: Mapping[str, float], present: str, before: str, used: Collection[str]
) -> list[str]:
    """The names in `ages`, by the time at which each was made, that nobody needs.

    Without a known one `before`, the newest other one is kept.
    """
    others = sorted((name for name in ages if name != present), key=lambda name: ages[name])
    whole = [name for name in others if not name.startswith(".")]
    kept = {before} if before in whole else set(whole[-1:])
    return [name for name in others if name not in kept and name not in used]


def opened() -> Iterator[str]:
    """What the processes of this host were started by, have mapped and work in."""
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "maps"):
            try:
                yield (process / name).read_text(encoding="utf-8", errors="replace")
            except OSError:  # it has ended, or nobody may look
                continue
        for link in (process / "cwd", process / "exe"):
            try:
                yield f"{link.readlink()}/"
            except OSError:
                continue


def linked(link: Path) -> str:
    """The name of the release that a link points to; empty where there is none."""
    return link.resolve().name if link.exists() else ""


def remove(release: Path) -> None:
    """Out of the way first, so that one that is left half removed is not taken for whole."""
    away = release
    if not release.name.startswith("."):
        away = release.with_name(f".{release.name}.{os.getpid()}.removed")
        release.rename(away)
    shutil.rmtree(away)


def main() -> None:
    """Remove them, or say which."""
    directory, stamp = Path(sys.argv[1]), sys.argv[2]
    releases = directory / "releases"
    ages = {path.name: path.stat().st_mtime for path in releases.iterdir() if path.is_dir()}
    current, previous = linked(directory / "current"), linked(directory / "previous")
    # One from before each had a place of its own may have the stamp, too.
    held = directory / "current" / "release"
    is_there = held.is_file() and held.read_text(encoding="utf-8").strip() == stamp
    present = current if is_there else stamp.replace(" ", "-")
    before = previous if is_there else current
    unfinished = directory / "unfinished" / "from"
    if unfinished.is_file():
        before = unfinished.read_text(encoding="utf-8").strip()
    used = {name for text in opened() for name in ages if f"{releases}/{name}/" in text}
    foretold = "--dry-run" in sys.argv  # as it is once the release has changed
    links = {current} if foretold else {current, previous}
    for name in superfluous(ages, present, before, used | links):
        print(name)
        if not foretold:
            remove(releases / name)


if __name__ == "__main__":
    main()
