# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Set kernel parameters, keep what they were before, and put that back.

Usage: kernel_parameters.py ROOT STATE set KEY=VALUE...
       kernel_parameters.py ROOT STATE restore [KEY...]

ROOT is /proc/sys, STATE a file: {KEY: [VALUE BEFORE THE FIRST TIME, VALUE THAT WAS SET LAST]}.
Without a key all are put back. A parameter that somebody else has set meanwhile is left. Prints
what it has changed.
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
    keep(state, kept)
    for key, value in values.items():
        (root / key).write_text(value + "\n", encoding="ascii")
        print(f"{key}={value}")


def restore(root: Path, state: Path, keys: tuple[str, ...]) -> None:
    """Put back what was there before, of `keys` or of all. Raises OSError."""
    if not state.exists():
        return
    kept = json.loads(state.read_text(encoding="utf-8"))
    for key in [key for key in kept if not keys or key in keys]:
        before, value = kept.pop(key)
        if present(root, key) == " ".join(str(value).split()) != before:
            (root / key).write_text(before + "\n", encoding="ascii")
            print(f"{key}={before}")
    if kept:
        keep(state, kept)
    else:
        state.unlink()


def keep(state: Path, kept: dict[str, list[str]]) -> None:
    """Write what is to be put back. Raises OSError."""
    state.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def main(root: str, state: str, what: str, *words: str) -> None:
    """Do it."""
    if what == "set":
        assign(Path(root), Path(state), dict(word.split("=", 1) for word in words))
    else:
        restore(Path(root), Path(state), words)


if __name__ == "__main__":
    main(*sys.argv[1:])
