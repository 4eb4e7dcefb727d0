# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Set kernel parameters, keep what they were before, and put that back.

Usage: kernel_parameters.py ROOT STATE set KEY=VALUE...
       kernel_parameters.py ROOT STATE restore

ROOT is /proc/sys, STATE a file: {KEY: [VALUE BEFORE THE FIRST TIME, VALUE THAT WAS SET LAST]}.
A parameter that somebody else has set meanwhile is left. Prints what it has changed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def present(root: Path, key: str) -> str | None:
    """The value, words with one blank between; None where there is no such parameter."""
    try:
        return " ".join((root / key).read_text(encoding="ascii").split())
    except OSError:
        return None


def assign(root: Path, state: Path, values: dict[str, str]) -> None:
    """Set `values`. Raises OSError."""
    kept = json.loads(state.read_text(encoding="utf-8")) if state.exists() else {}
    for key, value in values.items():
        before = present(root, key)
        if before is not None:
            kept[key] = [kept.get(key, [before])[0], value]
    # Written first: what is set and not kept could not be put back.
    state.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    state.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for key, value in values.items():
        (root / key).write_text(value + "\n", encoding="ascii")
        print(f"{key}={value}")


def restore(root: Path, state: Path) -> None:
    """Put back what was there before. Raises OSError."""
    if not state.exists():
        return
    for key, (before, value) in json.loads(state.read_text(encoding="utf-8")).items():
        if present(root, key) == " ".join(str(value).split()) != before:
            (root / key).write_text(before + "\n", encoding="ascii")
            print(f"{key}={before}")
    state.unlink()


def main(root: str, state: str, what: str, *assignments: str) -> None:
    """Do it."""
    if what == "set":
        assign(Path(root), Path(state), dict(one.split("=", 1) for one in assignments))
    else:
        restore(Path(root), Path(state))


if __name__ == "__main__":
    main(*sys.argv[1:])
