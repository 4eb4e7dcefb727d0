"""`nrs stopping`: systemd tells an agent that it is being stopped, and whether for a restart."""

from __future__ import annotations

import click

from nrs.system import control, systemd


def tell(unit: str) -> int:
    """Tell the agent of `unit`, if it is a restart; the exit status."""
    if not systemd.is_restarting(unit):
        return 0
    try:
        control.request(control.socket_path(unit), "restarting")
    except (control.ControlError, OSError) as error:
        click.echo(f"{unit}: {error}: it begins anew after this restart", err=True)
        return 1
    return 0
