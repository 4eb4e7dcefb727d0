"""`nrs cleanup`: remove from the host what an agent that was killed has left there.

A unit's ExecStopPost= runs it too, after each end of its agent. There it is to tell the end of the
unit from the moment before systemd starts the agent again, which goes on with all that is in place.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence

import click

from nrs.cli.units import UNITS
from nrs.system import control, systemd
from nrs.system.nftables import NftablesError

WRONG_CONFIGURATION = "2"
"""As in `agent/run.py`, whose imports would hold up the next start of a killed agent."""


def clean(units: Sequence[str]) -> int:
    """Clean up after those of `units` that do not run; the exit status."""
    status = 0
    for unit in units:
        if "SERVICE_RESULT" in os.environ:  # systemd.exec(5): only after the end of a unit
            if not is_over(os.environ, systemd.job_of(unit)):
                continue
        elif _runs(unit):
            click.echo(f"{unit} is running: systemctl stop {unit}", err=True)
            status = 1
            continue
        status = max(status, _clean(unit))
    return status


def is_over(environment: Mapping[str, str], job: str | None) -> bool:
    """Whether a unit has ended for good, by what systemd says of its process and job for it."""
    ended = environment.get("EXIT_CODE"), environment.get("EXIT_STATUS")
    return job == "stop" or ended == ("exited", WRONG_CONFIGURATION)


def _clean(unit: str) -> int:
    status = 0
    for remove in importlib.import_module(f"{UNITS[unit].package}.leftovers").KINDS:
        try:
            for line in remove():
                click.echo(f"{unit}: {line}")
        except (OSError, NftablesError) as error:
            click.echo(f"{unit}: {error}", err=True)
            status = 1
    return status


def _runs(unit: str) -> bool:
    try:
        control.request(control.socket_path(unit), "status")
    except control.ControlError:
        return False
    return True
