"""Running other programs to their end, with errors that say which and why."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_PATIENCE_S = 30.0


class BenchError(Exception):
    """A measurement cannot be made, or is worth nothing; the text says why."""


def run(
    command: Sequence[str | Path],
    *,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    limit: float = _PATIENCE_S,
) -> str:
    """The output of a command that ends well within `limit` seconds. Raises BenchError."""
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
            env=None if env is None else dict(env),
            cwd=cwd,
            # Ctrl-C is for the bench, which ends what it has started in its own order.
            start_new_session=True,
        )
    except FileNotFoundError:
        raise BenchError(f"{words[0]}: not installed") from None
    except subprocess.TimeoutExpired:
        raise BenchError(f"{' '.join(words)}: not finished after {limit:.0f} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise BenchError(f"{' '.join(words)}: exit {done.returncode}\n{said}")
    return done.stdout


def progress(text: str) -> None:
    """Tell whoever waits; standard output is for results."""
    print(text, file=sys.stderr, flush=True)
