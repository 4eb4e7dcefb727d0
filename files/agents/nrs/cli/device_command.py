"""The command line of `nrs device`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from nrs.cli.directory_option import secrets_directory

_FILE = click.Path(path_type=Path)
_GENERATIONS = click.IntRange(1, 1 << 16)
_EPOCHS = click.IntRange(0, 255)
Command = TypeVar("Command", bound=Callable[..., Any])


def _sent(command: Command) -> Command:
    """Options of what makes a list."""
    services = click.option(
        "--service", "services", metavar="URL", multiple=True, help="Send the list there."
    )
    ca_file = click.option(
        "--ca-file", type=_FILE, help="Who signs the services' certificates, if not ca.pem."
    )
    return services(ca_file(command))


@click.group("device")
def device() -> None:
    """Revoke the tunnels of devices. On the control node."""


@device.command("revoke")
@secrets_directory
@click.argument("id_", metavar="[ID]", required=False)
@click.option(
    "--below", type=_GENERATIONS, metavar="N", help="An endpoint: its keys of a generation below N."
)
@click.option("--router", is_flag=True, help="A router: all that it has.")
@click.option(
    "--epochs-below", type=_EPOCHS, metavar="N", help="Of everybody, the key epochs before N."
)
@_sent
def revoke(**options: Any) -> None:
    """Revoke a device: its tunnels, and the tokens that it has by now.

    Writes the next list of revocations and sends it. Exit status 1 where a service did not take it.
    """
    from nrs.cli import device_revoking as command  # noqa: PLC0415 - keeps `nrs status` quick

    sys.exit(command.revoke(options))


@device.command("readmit")
@secrets_directory
@click.argument("id_", metavar="ID")
@_sent
def readmit(**options: Any) -> None:
    """Revoke the tunnels of a device no longer; it needs new tokens.

    Writes the next list of revocations and sends it. Who stole its keys has them still.
    """
    from nrs.cli import device_revoking as command  # noqa: PLC0415 - keeps `nrs status` quick

    sys.exit(command.readmit(options))


@device.command("list")
@secrets_directory
def list_(directory: Path) -> None:
    """List whose tunnels are revoked."""
    from nrs.cli import device_revoking as command  # noqa: PLC0415 - keeps `nrs status` quick

    sys.exit(command.show(directory))
