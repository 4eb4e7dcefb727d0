"""`nrs status`: ask the agents over their control sockets and print what they say."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from typing import Any

import click

from nrs.system import control


def show(units: Sequence[str], *, as_json: bool) -> int:
    """Print the status of those of `units` that run here; the exit status.

    A single agent is one object in JSON, several are a list. 1 when none runs
    or one that runs does not answer; the others are printed all the same.
    """
    reports, problems = ask(units)
    for problem in problems:
        click.echo(problem, err=True)
    if not reports and not problems:
        click.echo(_none_found(units), err=True)
    elif as_json and reports:
        click.echo(json.dumps(reports[0] if len(reports) == 1 else reports, indent=2))
    elif reports:
        from nrs.cli import tables  # noqa: PLC0415 - rich is slow to load, JSON does without

        tables.print_reports(reports, now=time.time())
    return 0 if reports and not problems else 1


def ask(units: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """The reports of the agents found, and a line for each that did not answer."""
    reports: list[dict[str, Any]] = []
    problems: list[str] = []
    for unit in units:
        path = control.socket_path(unit)
        try:
            if not path.is_socket():
                continue
            reports.append(control.request(path, "status"))
        except PermissionError:
            problems.append(f"{unit}: permission denied at {path}: run `nrs status` as root")
        except control.ControlError as error:
            problems.append(f"{unit}: {error}")
    return reports, problems


def _none_found(units: Sequence[str]) -> str:
    paths = [control.socket_path(unit) for unit in units]
    if len(units) == 1:
        return f"{units[0]} is not running on this host: no control socket at {paths[0]}"
    where = os.path.commonpath(paths)
    return f"no agent is running on this host: no control socket under {where}"
