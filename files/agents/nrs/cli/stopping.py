"""`nrs stopping`: systemd tells an agent that it is being stopped, and whether for a restart."""

from __future__ import annotations

import click

from nrs.system import control, systemd


def tell(unit: str) -> int:
    """Tell the agent of `unit`; the exit status."""
    restarting = systemd.is_restarting(unit)
    try:
        control.request(control.socket_path(unit), "stopping", restarting=restarting)
    except (control.ControlError, OSError) as error:
        if restarting:
            click.echo(f"{unit}: {error}: it begins anew after this restart", err=True)
            return 1
    return 0
