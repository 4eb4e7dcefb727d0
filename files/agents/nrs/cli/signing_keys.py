"""`nrs token keys`: the signing key, and the public keys that services check with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from nrs.cli.deployment import Deployment, Failed
from nrs.identity import key_file, keys
from nrs.identity.revocations import RevocationsRefused, read


def show(directory: Path, *, forget_previous: bool) -> int:
    """Make what is missing and print the public keys; the exit status."""
    click.echo(settle(Deployment(directory), forget_previous=forget_previous), nl=False)
    return 0


def settle(deployment: Deployment, *, forget_previous: bool = False) -> str:
    """Make what is missing; the public keys as PEM text. Raises Failed."""
    deployment.make()
    if not deployment.has_signing_key:
        try:
            key_file.create(deployment.signing_key_file)
        except keys.KeyRefused as error:
            raise Failed(str(error)) from None
        click.echo(f"made {deployment.signing_key_file}", err=True)
    _sign_list_anew(deployment)
    public = deployment.public_keys()
    text = keys.public_text(public[:1] if forget_previous else public)
    if not deployment.public_keys_file.exists() or _differs(deployment.public_keys_file, text):
        deployment.write(deployment.public_keys_file, text, keys.PUBLIC_MODE)
    return text


def _sign_list_anew(deployment: Deployment) -> None:
    """What an earlier key has signed is of no use to services that have forgotten it."""
    if not deployment.revocations_file.exists():
        return
    with deployment.ledger():
        present = deployment.revocations()
        text = deployment.revocations_file.read_text(encoding="ascii").strip()
        try:
            read(text, deployment.public_keys()[:1])
        except RevocationsRefused:
            deployment.keep(replace(present, number=present.number + 1))
            click.echo(
                f"signed {deployment.revocations_file} anew: send it to every service"
                " (nrs token revoke --service URL) before --forget-previous reaches them",
                err=True,
            )


def _differs(path: Path, text: str) -> bool:
    return path.read_text(encoding="ascii") != text
