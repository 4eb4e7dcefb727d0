"""`nrs drain` and `nrs undrain`: take the routing server on this host out of service, and back."""

from __future__ import annotations

from typing import Any

import click

from nrs.cli.units import UNITS
from nrs.system import control

_UNIT = "routing_server"


def drain(deadline: float | None) -> int:
    """Begin to drain, or go on; the exit status. `deadline` in seconds, None for what there is."""
    answer = _ask("drain", deadline=deadline)
    if answer is None:
        return 1
    word = "draining" if answer["changed"] else "already draining"
    count = answer["tunnels_in_use"]
    used = f"{count} tunnel{'' if count == 1 else 's'} in use"
    left = answer["seconds_left"]
    when = f"connections that are left in {left} s are reset" if left else "nothing is forwarded"
    click.echo(f"{word}: {when}; {used}")
    return 0


def undrain() -> int:
    """End a drain; the exit status."""
    answer = _ask("undrain")
    if answer is None:
        return 1
    click.echo("in service again" if answer["changed"] else "was not draining")
    return 0


def _ask(command: str, **arguments: Any) -> dict[str, Any] | None:
    """The agent's answer; None, and a line that says why, without one."""
    path = control.socket_path(_UNIT)
    try:
        if path.is_socket():
            return dict(control.request(path, command, **arguments))
    except PermissionError:
        click.echo(f"permission denied at {path}: run `nrs {command}` as root", err=True)
        return None
    except control.ControlError as error:
        click.echo(f"{_UNIT}: {error}", err=True)
        return None
    if UNITS[_UNIT].config_file.exists():
        problem = f"the routing server is not running: no control socket at {path}"
    else:
        problem = f"this host is not a routing server: there is no {UNITS[_UNIT].config_file}"
    click.echo(problem, err=True)
    return None
