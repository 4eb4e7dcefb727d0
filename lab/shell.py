"""Running other programs, with errors that say which and why."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence


class LabError(Exception):
    """Something that the operator has to know, in one message; no traceback wanted."""


def run(command: Sequence[str], *, stdin: str | None = None, check: bool = True) -> str:
    """Run a command to its end and return its output.

    Raises LabError with the command and its error output where it fails and ``check`` is set.
    """
    try:
        done = subprocess.run(
            command,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise LabError(f"{command[0]}: not installed") from None
    if check and done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise LabError(f"{' '.join(command)}: exit {done.returncode}\n{said}")
    return done.stdout
