"""`nrs ca`: the CA's files, and the services' certificates."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

import click
from cryptography.x509 import Certificate

from nrs.cli import certificates
from nrs.cli.deployment import Deployment, Failed
from nrs.identity import authority, certificate
from nrs.identity.authority import Authority, NoSuchName
from nrs.identity.credential import date


def init(directory: Path) -> int:
    """Make a CA, before those that there were; the exit status."""
    deployment, now = Deployment(directory), time.time()
    if deployment.ca_key_file.exists():
        raise Failed(f"{deployment.ca_key_file} is there already, and a key is never replaced")
    made = certificates.new_authority(deployment, now)
    click.echo(f"made {deployment.ca_file}: {_until(made.certificate, now)}")
    return 0


def issue(directory: Path, called: Sequence[str]) -> int:
    """Make a service's certificate where there is no good one; the exit status."""
    deployment, now = Deployment(directory), time.time()
    ca = certificates.present_authority(deployment, now)
    try:
        authority.subjects(called)
    except NoSuchName as error:
        raise click.UsageError(str(error)) from None
    # scp and rsync take what stands before a colon for a host.
    name = re.sub(r"^https://|[\[\]]|/.*", "", called[0].lower()).replace(":", "-")
    _make(deployment, ca, deployment.certificates / f"{name}.pem", called, now)
    return 0


def renew(directory: Path, *, force: bool, forget_previous: bool) -> int:
    """Make the certificates anew that are due; the exit status."""
    deployment, now = Deployment(directory), time.time()
    ca = certificates.present_authority(deployment, now)
    files = _certificates(deployment)
    for file in files:
        called = authority.called(certificates.read(file).first)
        _make(deployment, ca, file, called, now, force=force)
    if not files:
        click.echo(f"{deployment.certificates}: no certificates")
    if forget_previous:
        certificates.trust(deployment, [ca.certificate])
        click.echo(f"{deployment.ca_file}: {_until(ca.certificate, now)}")
    return 0


def show(directory: Path, files: Sequence[Path]) -> int:
    """Print what there is, and what is wrong with it; the exit status."""
    deployment, now, status = Deployment(directory), time.time(), 0
    known = certificates.read(deployment.ca_file) if deployment.ca_file.exists() else None
    if not files and known is None:
        raise Failed(f"{deployment.ca_file}: no such file; `nrs ca init` makes it")
    for file in files or (deployment.ca_file, *_certificates(deployment)):
        bundle = certificates.read(file)
        is_ca = file == deployment.ca_file
        for one in bundle.certificates:
            click.echo(f"{file}: {_until(one, now)}")
        wrong = None if is_ca else certificate.problem(bundle, now=now, authorities=known)
        if line := wrong or certificate.warning(bundle, now):
            click.echo(line, err=True)
            status = 1
    return status


def _make(
    deployment: Deployment,
    ca: Authority,
    file: Path,
    called: Sequence[str],
    now: float,
    *,
    force: bool = False,
) -> None:
    why = certificates.why_anew(file, ca, called, now) or ("asked to" if force else None)
    if why is None:
        click.echo(f"{file} is good: {_until(certificates.read(file).first, now)}")
        return
    if why != certificates.MISSING:
        click.echo(f"{file} is made anew: {why}")
    made = certificates.make(deployment, ca, file, called, now)
    click.echo(f"made {file}: {_until(made, now)}")


def _certificates(deployment: Deployment) -> list[Path]:
    return sorted(deployment.certificates.glob("*.pem"))


def _until(of: Certificate, now: float) -> str:
    whose = ", ".join(certificate.urls(of) or certificate.names(of)) or certificate.common_name(
        of.subject
    )
    days = certificate.days_left(of, now)
    return f"{whose}, until {date(certificate.ends(of))}, {days} days left"
