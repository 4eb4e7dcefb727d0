"""The CA and the services' certificates in a deployment's directory, made where they are due."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryptography.x509 import Certificate

from nrs.cli.deployment import Deployment, Failed
from nrs.identity import authority, certificate, whole_file
from nrs.identity.authority import Authority, AuthorityRefused
from nrs.identity.certificate import Bundle, CertificateRefused
from nrs.identity.credential import date

_PUBLIC = 0o644
MISSING = "there is none"
_GIVEN = "the CA that was given"


def new_authority(deployment: Deployment, now: float) -> Authority:
    """Make a CA where there is no key of one, before those that there were. Raises Failed."""
    deployment.make()
    earlier = read(deployment.ca_file).certificates if deployment.ca_file.exists() else ()
    made = authority.new_authority(now)
    kept = [one for one in earlier if certificate.ends(one) > now]
    trust(deployment, [made.certificate, *kept])
    _create(deployment.ca_key_file, authority.key_text(made.key))
    return made


def trust(deployment: Deployment, certificates: Sequence[Certificate]) -> None:
    """Let these be the CAs, the one in force first. Raises Failed."""
    deployment.write(deployment.ca_file, authority.text(certificates), _PUBLIC)


def authorities(deployment: Deployment) -> Bundle | None:
    """The CA in force before earlier ones; None where there is none. Raises Failed."""
    if deployment.given_ca is None:
        return read(deployment.ca_file) if deployment.ca_file.exists() else None
    try:
        return certificate.parse(deployment.given_ca[1].encode(), _GIVEN)
    except CertificateRefused as error:
        raise Failed(str(error)) from None


def present_authority(deployment: Deployment, now: float) -> Authority:
    """The CA in force. Raises Failed."""
    given, bundle = deployment.given_ca, authorities(deployment)
    if bundle is None or not deployment.has_ca_key:
        file = deployment.ca_file if deployment.has_ca_key else deployment.ca_key_file
        raise Failed(f"{file}: no such file; `nrs ca init` makes it")
    try:
        key = deployment.ca_key_file.read_bytes() if given is None else given[0].encode()
        ca = authority.authority(key, bundle.first)
    except (OSError, AuthorityRefused) as error:
        raise Failed(f"{_GIVEN if given else deployment.ca_key_file}: {error}") from None
    if (end := certificate.ends(ca.certificate)) <= now:
        raise Failed(f"{bundle.file}: the CA expired on {date(end)}")
    return ca


def why_anew(file: Path, ca: Authority, called: Sequence[str], now: float) -> str | None:
    """Why the certificate in `file` is to be made anew; None where it is good to be `called` so.

    Raises Failed, NoSuchName.
    """
    if not file.exists():
        return MISSING
    return authority.why_anew(read(file).first, ca, called, now)


def make(
    deployment: Deployment, ca: Authority, file: Path, called: Sequence[str], now: float
) -> Certificate:
    """Put a certificate into `file`, for the key beside it and for what the service is `called`.

    Raises Failed, NoSuchName.

    A key that is there stays, so that the pair fits at any moment.
    """
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise Failed(f"{file.parent}: {error.strerror}") from None
    key_file = file.with_suffix(".key")
    if not key_file.exists():
        _create(key_file, authority.key_text(authority.new_key()))
    try:
        key = authority.server_key(key_file.read_bytes())
    except (OSError, AuthorityRefused) as error:
        raise Failed(f"{key_file}: {error}") from None
    made = authority.server_certificate(ca, key.public_key(), called, now)
    deployment.write(file, authority.text([made]), _PUBLIC)
    return made


def read(file: Path) -> Bundle:
    """The certificates in a file. Raises Failed."""
    try:
        return certificate.read(file)
    except CertificateRefused as error:
        raise Failed(str(error)) from None


def _create(path: Path, text: str) -> None:
    try:
        whole_file.create(path, text)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from None
