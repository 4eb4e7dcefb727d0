"""The command line of `nrs token`."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from nrs.cli import times
from nrs.cli.directory_option import secrets_directory

_FILE = click.Path(path_type=Path)
_ROLES = ("operator", "monitor", "router", "endpoint", "service")


def _address(kind: Callable[[str], Any]) -> Callable[..., Any]:
    def parsed(_context: click.Context, _option: click.Parameter, value: str | None) -> Any:
        try:
            return None if value is None else kind(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return parsed


@click.group("token")
def token() -> None:
    """Make, list and revoke the tokens that the APIs ask for. On the control node."""


@token.command("keys")
@secrets_directory
@click.option(
    "--forget-previous", is_flag=True, help="Accept no key but the signing key any longer."
)
def keys(directory: Path, forget_previous: bool) -> None:
    """Make the signing key; print the public keys.

    A key that is there stays. To change it, move signing_key away first: tokens of both are
    accepted until --forget-previous.
    """
    from nrs.cli import signing_keys as command  # noqa: PLC0415 - keeps `nrs status` quick

    sys.exit(command.show(directory, forget_previous=forget_previous))


@token.command("create")
@secrets_directory
@click.option("--role", type=click.Choice(_ROLES), required=True, help="What it is for.")
@click.option("--id", "id_", metavar="ID", help="Of the router, endpoint or service.")
@click.option("--name", help="Of the operator or of what monitors.")
@click.option(
    "--service",
    "services",
    metavar="URL",
    multiple=True,
    required=True,
    help="The one service instance that takes it; again for another token for another one.",
)
@click.option(
    "--expires", callback=times.span, metavar="SPAN", help="When it ends: 90d, 12h, 5m or 30s."
)
@click.option(
    "--tun-ipv4", callback=_address(ipaddress.IPv4Address), help="The device's, if fixed."
)
@click.option(
    "--tun-ipv6", callback=_address(ipaddress.IPv6Address), help="The device's, if fixed."
)
@click.option("--file", type=_FILE, help="Write this file (0600) and show no token.")
def create(**options: Any) -> None:
    """Make tokens, and print them one a line."""
    from nrs.cli import tokens as command  # noqa: PLC0415 - keeps `nrs status` quick

    sys.exit(command.create(options))


@token.command("list")
@secrets_directory
@click.option("--id", "id_", metavar="ID", help="Those of this device, service or operator.")
@click.option("--all", "everything", is_flag=True, help="Those that ended or were revoked, too.")
@click.option("--json", "as_json", is_flag=True, help="A list; times in seconds since the epoch.")
def list_(directory: Path, id_: str | None, everything: bool, as_json: bool) -> None:
    """List the tokens that were made and are good."""
    from nrs.cli import tokens as command  # noqa: PLC0415 - keeps `nrs status` quick

    sys.exit(command.show(directory, id_, everything=everything, as_json=as_json))


@token.command("revoke")
@secrets_directory
@click.argument("serials", nargs=-1, metavar="[SERIAL]...")
@click.option("--id", "id_", metavar="ID", help="All that this id was given before a time.")
@click.option(
    "--issued-before", callback=times.moment, metavar="TIME", help="now, or 2027-01-31T12:00 (UTC)."
)
@click.option(
    "--service",
    "services",
    metavar="URL",
    multiple=True,
    help="Send the list there; without serial and id the one that there is.",
)
@click.option("--ca-file", type=_FILE, help="Who signs the services' certificates, if not ca.pem.")
def revoke(**options: Any) -> None:
    """Revoke tokens, here and at services.

    Writes the next list of revocations and sends it. Exit status 1 where a service did not take it.
    """
    from nrs.cli import revoking as command  # noqa: PLC0415 - keeps `nrs status` quick

    sys.exit(command.main(options))
