"""The command line of `nrs ca`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from nrs.cli.directory_option import secrets_directory

_FILE = click.Path(path_type=Path)


@click.group("ca")
def ca() -> None:
    """The deployment's own CA, and the services' certificates. On the control node."""


@ca.command("init")
@secrets_directory
def init(directory: Path) -> None:
    """Make the CA, good for 10 years.

    To change it, move ca_key away first: ca.pem then holds both, and clients trust both.
    """
    from nrs.cli import authorities as command  # noqa: PLC0415 - keeps `nrs status` quick

    sys.exit(command.init(directory))


@ca.command("issue")
@secrets_directory
@click.argument("called", nargs=-1, required=True, metavar="URL|HOST...")
def issue(directory: Path, called: tuple[str, ...]) -> None:
    """Make a certificate for what a service is called, and for loopback.

    By its URLs it is for their ports alone, and does not pass for another service of its host; by
    HOST names and addresses it is for all. It is named after the first one, and good for 398 days.
    One that is there stays while it is good for the same.
    """
    from nrs.cli import authorities as command  # noqa: PLC0415 - keeps `nrs status` quick

    sys.exit(command.issue(directory, called))


@ca.command("renew")
@secrets_directory
@click.option("--force", is_flag=True, help="Also those that are good for more than 30 days.")
@click.option("--forget-previous", is_flag=True, help="Leave only the CA in force in ca.pem.")
def renew(directory: Path, force: bool, forget_previous: bool) -> None:
    """Make the certificates anew that end within 30 days, or are of an earlier CA."""
    from nrs.cli import authorities as command  # noqa: PLC0415 - keeps `nrs status` quick

    sys.exit(command.renew(directory, force=force, forget_previous=forget_previous))


@ca.command("show")
@secrets_directory
@click.argument("files", nargs=-1, type=_FILE, metavar="[FILE]...")
def show(directory: Path, files: tuple[Path, ...]) -> None:
    """Say for whom certificates are and until when: all there are, or those in FILEs.

    Exit status 1 where one ends within 30 days or is not good.
    """
    from nrs.cli import authorities as command  # noqa: PLC0415 - keeps `nrs status` quick

    sys.exit(command.show(directory, files))
