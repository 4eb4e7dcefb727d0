"""`nrs token revoke`: write the next list of revocations, and send it to services."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from nrs.api.client import ApiClient, ApiRefused, ApiUnavailable
from nrs.cli.deployment import Deployment, Failed
from nrs.cli.next_list import revoke
from nrs.identity import certificate, issue
from nrs.identity.audience import audience_of
from nrs.identity.credential import Role

_NAME = "nrs-token-revoke"
_LIFETIME_S = 300.0


def main(options: Mapping[str, Any]) -> int:
    """Revoke and send what the options say; the exit status."""
    deployment, services = Deployment(options["directory"]), options["services"]
    _check(options)
    revoked, ended = revoke(deployment, options)
    for of in ended:
        click.echo(f"revoked {of.serial} of {of.role.value} {of.id} for {of.audience}")
    if revoked.number == 0:
        raise Failed(f"{deployment.revocations_file}: no such file; nothing was revoked yet")
    click.echo(f"{deployment.revocations_file} is list number {revoked.number}")
    return send(deployment, services, options["ca_file"])


def _check(options: Mapping[str, Any]) -> None:
    serials, id_, before = (options[name] for name in ("serials", "id_", "issued_before"))
    if serials and id_ is not None:
        raise click.UsageError("takes serials or --id, not both")
    if (id_ is None) != (before is None):
        raise click.UsageError("--id and --issued-before belong together")
    if not (serials or id_ or options["services"]):
        raise click.UsageError("what is to be revoked? a serial, or --id and --issued-before")
    check_services(options["services"])


def check_services(services: Sequence[str]) -> None:
    """Raises UsageError where `--service` is not what a token can be for."""
    for url in services:
        try:
            audience_of(url)
        except ValueError as error:
            raise click.UsageError(f"--service: {error}") from None


def send(deployment: Deployment, services: Sequence[str], ca_file: Path | None) -> int:
    """Have services take the list that there is; the exit status. Raises Failed."""
    if not services:
        return 0
    ca_file = ca_file or deployment.ca_file
    text = deployment.revocations_file.read_text(encoding="ascii").strip()
    _check_authorities(services, ca_file)
    key, status = deployment.signing_key(), 0
    for url in (service.rstrip("/") for service in services):
        credential = issue.credential(
            role=Role.OPERATOR,
            id=_NAME,
            url=url,
            now=time.time(),
            random=secrets.token_bytes,
            lifetime=_LIFETIME_S,
        )
        with deployment.ledger(credential.issued) as ledger:
            ledger.add([credential])
        client = ApiClient([url], {url: issue.token(credential, key)}, ca_file)
        try:
            # A body of this length is read where the connection has proved a credential.
            client.get("/revocations")
            client.put("/revocations", {"revocations": text})
        except ApiRefused as error:
            status = _failed(url, f"answered {error.status}: {error.error}")
        except ApiUnavailable as error:
            status = _failed(url, str(error).removeprefix(f"{url}: "))
        else:
            click.echo(f"{url} took it")
    return status


def _check_authorities(services: Sequence[str], ca_file: Path) -> None:
    if any(audience_of(url).startswith("https:") for url in services):
        try:
            certificate.read(ca_file)
        except certificate.CertificateRefused as error:
            raise Failed(f"{error}; --ca-file says whom to trust") from None


def _failed(url: str, why: str) -> int:
    click.echo(f"{url} did not take it: {why}", err=True)
    return 1
