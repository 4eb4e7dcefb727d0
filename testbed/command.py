"""Running other programs to their end, with errors that say which and why."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from testbed.failed import Failed

_LAST_LINES = 15


def run(
    command: Sequence[object],
    *,
    stdin: str | None = None,
    check: bool = True,
    limit: float | None = 30,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """The output of a command that ends within `limit` seconds, and well where `check` is set.

    Raises Failed with the command and the end of what it said about it.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=limit,
            env=env,
            cwd=cwd,
        )
    except FileNotFoundError:
        raise Failed(f"{words[0]}: not installed") from None
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(words)}: not finished after {limit:g} s") from None
    if check and done.returncode:
        said = last_lines(done.stderr.strip() or done.stdout.strip())
        raise Failed(f"{' '.join(words)}: exit {done.returncode}\n{said}")
    return done.stdout


def last_lines(text: str) -> str:
    """As much of it as a message should have."""
    return "\n".join(text.splitlines()[-_LAST_LINES:])
