"""`nrs stopping`: systemd tells an agent that it is being stopped, and whether for a restart."""

from __future__ import annotations

from pathlib import Path

import click

from nrs.cli.units import UNITS, Unit
from nrs.config.loader import ConfigError, load
from nrs.system import control, systemd


def tell(unit: str, config: Path | None) -> int:
    """Tell the agent of `unit`, whose file is `config` or the usual one; the exit status.

    What is started again and cannot run goes on with nothing: that is a stop.
    """
    restarting = systemd.job_of(unit) == "restart" and _is_usable(UNITS[unit], config)
    try:
        control.request(control.socket_path(unit), "stopping", restarting=restarting)
    except (control.ControlError, OSError) as error:
        if restarting:
            click.echo(f"{unit}: {error}: it begins anew after this restart", err=True)
            return 1
    return 0


def _is_usable(unit: Unit, config: Path | None) -> bool:
    try:
        load(config or unit.config_file, unit.model())
    except ConfigError as error:
        click.echo(str(error), err=True)
        return False
    return True
