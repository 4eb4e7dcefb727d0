"""`nrs ca`: the CA's files, and the services' certificates."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import click
from cryptography.x509 import Certificate

from nrs.cli.deployment import Deployment, Failed
from nrs.identity import authority, certificate, whole_file
from nrs.identity.authority import Authority, AuthorityRefused, NoSuchName
from nrs.identity.certificate import Bundle, CertificateRefused
from nrs.identity.credential import date

_PUBLIC = 0o644


def init(directory: Path) -> int:
    """Make a CA, before those that there were; the exit status."""
    deployment, now = Deployment(directory), time.time()
    deployment.make()
    if deployment.ca_key_file.exists():
        raise Failed(f"{deployment.ca_key_file} is there already, and a key is never replaced")
    earlier = _read(deployment.ca_file).certificates if deployment.ca_file.exists() else ()
    made = authority.new_authority(now)
    kept = [one for one in earlier if certificate.ends(one) > now]
    deployment.write(deployment.ca_file, authority.text([made.certificate, *kept]), _PUBLIC)
    _create(deployment.ca_key_file, authority.key_text(made.key))
    click.echo(f"made {deployment.ca_file}: {_until(made.certificate, now)}")
    return 0


def issue(directory: Path, hosts: Sequence[str]) -> int:
    """Make a service's certificate where there is no good one; the exit status."""
    deployment = Deployment(directory)
    ca = _authority(deployment)
    try:
        for host in hosts:
            authority.subject(host)
    except NoSuchName as error:
        raise click.UsageError(str(error)) from None
    try:
        deployment.certificates.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise Failed(f"{deployment.certificates}: {error.strerror}") from None
    # scp and rsync take what stands before a colon for a host.
    name = hosts[0].lower().replace(":", "-")
    _make(deployment, ca, deployment.certificates / f"{name}.pem", hosts, force=False)
    return 0


def renew(directory: Path, *, force: bool, forget_previous: bool) -> int:
    """Make the certificates anew that are due; the exit status."""
    deployment = Deployment(directory)
    ca = _authority(deployment)
    files = _certificates(deployment)
    for file in files:
        _make(deployment, ca, file, authority.hosts(_read(file).first), force=force)
    if not files:
        click.echo(f"{deployment.certificates}: no certificates")
    if forget_previous:
        deployment.write(deployment.ca_file, authority.text([ca.certificate]), _PUBLIC)
        click.echo(f"{deployment.ca_file}: {_until(ca.certificate, time.time())}")
    return 0


def show(directory: Path, files: Sequence[Path]) -> int:
    """Print what there is, and what is wrong with it; the exit status."""
    deployment, now, status = Deployment(directory), time.time(), 0
    known = _read(deployment.ca_file) if deployment.ca_file.exists() else None
    if not files and known is None:
        raise Failed(f"{deployment.ca_file}: no such file; `nrs ca init` makes it")
    for file in files or (deployment.ca_file, *_certificates(deployment)):
        bundle = _read(file)
        is_ca = file == deployment.ca_file
        for one in bundle.certificates:
            click.echo(f"{file}: {_until(one, now)}")
        wrong = None if is_ca else certificate.problem(bundle, now=now, authorities=known)
        if line := wrong or certificate.warning(bundle, now):
            click.echo(line, err=True)
            status = 1
    return status


def _make(
    deployment: Deployment, ca: Authority, file: Path, hosts: Sequence[str], *, force: bool
) -> None:
    now = time.time()
    if file.exists():
        present = _read(file).first
        why = "asked to" if force else authority.why_anew(present, ca, hosts, now)
        if why is None:
            click.echo(f"{file} is good: {_until(present, now)}")
            return
        click.echo(f"{file} is made anew: {why}")
    key_file = file.with_suffix(".key")
    if not key_file.exists():
        _create(key_file, authority.key_text(authority.new_key()))
    try:
        key = authority.server_key(key_file.read_bytes())
    except (OSError, AuthorityRefused) as error:
        raise Failed(f"{key_file}: {error}") from None
    made = authority.server_certificate(ca, key.public_key(), hosts, now)
    deployment.write(file, authority.text([made]), _PUBLIC)
    click.echo(f"made {file}: {_until(made, now)}")


def _authority(deployment: Deployment) -> Authority:
    for file in (deployment.ca_key_file, deployment.ca_file):
        if not file.exists():
            raise Failed(f"{file}: no such file; `nrs ca init` makes it")
    try:
        key = deployment.ca_key_file.read_bytes()
        ca = authority.authority(key, _read(deployment.ca_file).first)
    except (OSError, AuthorityRefused) as error:
        raise Failed(f"{deployment.ca_key_file}: {error}") from None
    if (end := certificate.ends(ca.certificate)) <= time.time():
        raise Failed(f"{deployment.ca_file}: the CA expired on {date(end)}")
    return ca


def _certificates(deployment: Deployment) -> list[Path]:
    return sorted(deployment.certificates.glob("*.pem"))


def _read(file: Path) -> Bundle:
    try:
        return certificate.read(file)
    except CertificateRefused as error:
        raise Failed(str(error)) from None


def _create(path: Path, text: str) -> None:
    try:
        whole_file.create(path, text)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from None


def _until(of: Certificate, now: float) -> str:
    whose = ", ".join(certificate.names(of)) or certificate.common_name(of.subject)
    days = certificate.days_left(of, now)
    return f"{whose}, until {date(certificate.ends(of))}, {days} days left"
