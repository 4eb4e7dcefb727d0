"""The next list of revocations, on the control node: it takes none of the services' libraries."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from nrs.cli.deployment import Deployment
from nrs.identity.credential import Credential
from nrs.identity.ledger import Ledger
from nrs.identity.revocations import Revocations


def revoke(
    deployment: Deployment, options: Mapping[str, Any]
) -> tuple[Revocations, list[Credential]]:
    """Put the next list in force here, by `serials` or by `id_` and `issued_before`.

    `tunnels`, a function, makes those that are revoked then of those that are now, if it is given.
    Returns the list, and what was good before. Raises Failed, UsageError.
    """
    deployment.signing_key()
    with deployment.ledger() as ledger:
        present = deployment.revocations()
        revoked = _next(present, ledger, options)
        if revoked != present:
            deployment.keep(revoked)
        return revoked, _note(ledger, revoked)


def readmit(deployment: Deployment, id_: str) -> Revocations:
    """Put the next list in force here, without the tunnels of a device. Raises Failed.

    It is another one in any case: what services refuse by themselves holds until then.
    """
    deployment.signing_key()
    with deployment.ledger():
        present = deployment.revocations()
        following = present.with_tunnels(present.tunnels.without(id_))
        deployment.keep(following)
        return following


def _next(present: Revocations, ledger: Ledger, options: Mapping[str, Any]) -> Revocations:
    issued, change = ledger.entries, options.get("tunnels")
    tunnels = present.tunnels if change is None else change(present.tunnels)
    if options["id_"] is not None:
        if not any(entry.credential.id == options["id_"] for entry in issued):
            click.echo(f"note: no token of {options['id_']} was made here", err=True)
        changed = present.with_id(options["id_"], options["issued_before"])
        changed = replace(changed, tunnels=tunnels)
        if replace(changed, number=present.number) == present:
            return present
        return changed.needed((entry.credential for entry in issued), time.time())
    if tunnels != present.tunnels:
        return present.with_tunnels(tunnels)
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


def _note(ledger: Ledger, revoked: Revocations) -> list[Credential]:
    fresh = [e for e in ledger.entries if e.revoked is None and revoked.refuses(e.credential)]
    ledger.revoke(fresh, time.time())
    return [entry.credential for entry in fresh]
