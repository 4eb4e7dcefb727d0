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
from nrs.identity import certificate, issue
from nrs.identity.audience import audience_of
from nrs.identity.credential import Role
from nrs.identity.ledger import Ledger
from nrs.identity.revocations import Revocations

_NAME = "nrs-token-revoke"
_LIFETIME_S = 300.0


def main(options: Mapping[str, Any]) -> int:
    """Revoke and send what the options say; the exit status."""
    deployment, services = Deployment(options["directory"]), options["services"]
    _check(options)
    deployment.signing_key()
    with deployment.ledger() as ledger:
        present = deployment.revocations()
        revoked = _next(present, ledger, options)
        if revoked != present:
            deployment.keep(revoked)
        _note(ledger, revoked)
    if revoked.number == 0:
        raise Failed(f"{deployment.revocations_file}: no such file; nothing was revoked yet")
    click.echo(f"{deployment.revocations_file} is list number {revoked.number}")
    return _send(deployment, services, options["ca_file"]) if services else 0


def _check(options: Mapping[str, Any]) -> None:
    serials, id_, before = (options[name] for name in ("serials", "id_", "issued_before"))
    if serials and id_ is not None:
        raise click.UsageError("takes serials or --id, not both")
    if (id_ is None) != (before is None):
        raise click.UsageError("--id and --issued-before belong together")
    if not (serials or id_ or options["services"]):
        raise click.UsageError("what is to be revoked? a serial, or --id and --issued-before")
    for url in options["services"]:
        try:
            audience_of(url)
        except ValueError as error:
            raise click.UsageError(f"--service: {error}") from None


def _next(present: Revocations, ledger: Ledger, options: Mapping[str, Any]) -> Revocations:
    issued = ledger.entries
    if options["id_"] is not None:
        if not any(entry.credential.id == options["id_"] for entry in issued):
            click.echo(f"note: no token of {options['id_']} was made here", err=True)
        changed = present.with_id(options["id_"], options["issued_before"])
        if changed.issued_before == present.issued_before:
            return present
        return changed.needed((entry.credential for entry in issued), time.time())
    known = {entry.credential.serial for entry in issued}
    if unknown := sorted(set(options["serials"]) - known - present.serials):
        raise click.UsageError(
            f"no token with the serial {', '.join(unknown)} was made here;"
            " --id and --issued-before revoke what the ledger does not know"
        )
    if present.serials.issuperset(options["serials"]):
        return present
    needed = present.needed((entry.credential for entry in issued), time.time())
    return needed.with_serials(options["serials"])


def _note(ledger: Ledger, revoked: Revocations) -> None:
    fresh = [e for e in ledger.entries if e.revoked is None and revoked.refuses(e.credential)]
    ledger.revoke(fresh, time.time())
    for entry in fresh:
        of = entry.credential
        click.echo(f"revoked {of.serial} of {of.role.value} {of.id} for {of.audience}")


def _send(deployment: Deployment, services: Sequence[str], ca_file: Path | None) -> int:
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
