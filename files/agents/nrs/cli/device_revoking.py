"""`nrs device revoke`, `readmit` and `list`: tunnels on the list of revocations."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from nrs.cli import next_list
from nrs.cli.deployment import Deployment, Failed
from nrs.cli.revoking import check_services, send
from nrs.config.types import as_name
from nrs.identity.revocations import Revocations
from nrs.identity.revoked_tunnels import EPOCHS, GENERATIONS, RevokedTunnels

_EPOCH_FILE = "key_epoch"
"""As the roles keep it: the epoch of the keys that are in use."""


def revoke(options: Mapping[str, Any]) -> int:
    """Revoke and send what the options say; the exit status."""
    deployment, id_ = Deployment(options["directory"]), options["id_"]
    change = _change(deployment, options)
    check_services(options["services"])
    asked = {"serials": (), "id_": id_, "issued_before": time.time(), "tunnels": change}
    revoked, ended = next_list.revoke(deployment, asked)
    for of in ended:
        click.echo(f"revoked {of.serial} of {of.role.value} {of.id} for {of.audience}")
    return _sent(deployment, revoked, options)


def readmit(options: Mapping[str, Any]) -> int:
    """Take a device off the list and send that; the exit status."""
    deployment, id_ = Deployment(options["directory"]), _name(options["id_"])
    check_services(options["services"])
    return _sent(deployment, next_list.readmit(deployment, id_), options)


def show(directory: Path) -> int:
    """Print whose tunnels are revoked; the exit status."""
    revoked = Deployment(directory).revocations().tunnels
    for id_, below in sorted(revoked.endpoints.items()):
        which = "all keys" if below == GENERATIONS else f"keys of a generation below {below}"
        click.echo(f"endpoint {id_}: {which}")
    for id_ in sorted(revoked.routers):
        click.echo(f"router {id_}")
    if revoked.epochs_below is not None:
        click.echo(f"key epochs before {revoked.epochs_below}")
    return 0


def _sent(deployment: Deployment, of: Revocations, options: Mapping[str, Any]) -> int:
    click.echo(f"{deployment.revocations_file} is list number {of.number}")
    return send(deployment, options["services"], options["ca_file"])


def _change(
    deployment: Deployment, options: Mapping[str, Any]
) -> Callable[[RevokedTunnels], RevokedTunnels]:
    below, router, epoch = (options[name] for name in ("below", "router", "epochs_below"))
    if (below is not None) + router + (epoch is not None) != 1:
        raise click.UsageError("takes one of --below, for an endpoint, --router and --epochs-below")
    if (options["id_"] is None) == (epoch is None):
        raise click.UsageError("--below and --router take an id, --epochs-below takes none")
    if epoch is not None:
        _spare_the_present(deployment, epoch)
        return lambda tunnels: tunnels.with_epochs_below(epoch)
    id_ = _name(options["id_"])
    if router:
        return lambda tunnels: tunnels.with_router(id_)
    return lambda tunnels: tunnels.with_endpoint(id_, below)


def _spare_the_present(deployment: Deployment, epoch: int) -> None:
    """Raises Failed where every tunnel would end."""
    file = deployment.directory / _EPOCH_FILE
    try:
        present = int(file.read_text(encoding="ascii")) % EPOCHS if file.exists() else None
    except (OSError, ValueError) as error:
        raise Failed(f"{file}: {error}") from None
    if present is not None and RevokedTunnels(epochs_below=epoch).epoch(present):
        raise Failed(
            f"--epochs-below {epoch}: the keys in use are of epoch {present} ({file}), and every"
            " tunnel would end; change the PSK first (rotate_psk.yml)"
        )


def _name(text: str) -> str:
    try:
        return as_name(text)
    except ValueError as error:
        raise click.UsageError(f"ID: {text!r} {error}") from None
