"""Certificates and keys in files, as an operator would want to be told of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization


def check_pair(certificate_file: Path, key_file: Path) -> None:
    """Whether a service can show this certificate today. Raises ValueError that says why not."""
    first = _read(certificate_file)[0]
    now = datetime.now(timezone.utc)
    if now >= first.not_valid_after_utc:
        raise ValueError(f"the certificate in {certificate_file} has expired on {_until(first)}")
    if now < first.not_valid_before_utc:
        begin = first.not_valid_before_utc.date()
        raise ValueError(f"the certificate in {certificate_file} is not valid before {begin}")
    try:
        key = serialization.load_pem_private_key(_bytes(key_file), password=None)
    except TypeError:
        raise ValueError(f"{key_file} is encrypted: a service cannot ask for its words") from None
    except Exception as error:
        raise ValueError(f"{key_file} holds no private key in PEM: {error}") from None
    if key.public_key() != first.public_key():
        raise ValueError(
            f"{key_file} is not the key of the certificate in {certificate_file},"
            f" which is valid until {_until(first)}"
        )


def described(der: bytes) -> str:
    """Whose a certificate is, and until when."""
    return _described(x509.load_der_x509_certificate(der))


def listed(path: Path) -> str:
    """A PEM file and what it holds, or what is wrong with it."""
    try:
        return f"{path}: {'; '.join(map(_described, _read(path)))}"
    except ValueError as error:
        return str(error)


def _described(certificate: x509.Certificate) -> str:
    return f"{certificate.subject.rfc4514_string()!r} until {_until(certificate)}"


def _read(path: Path) -> Sequence[x509.Certificate]:
    """The certificates in a PEM file, one or more. Raises ValueError that names it."""
    try:
        return x509.load_pem_x509_certificates(_bytes(path))
    except ValueError as error:
        if "cannot read" in str(error):
            raise
        raise ValueError(f"{path} holds no certificate in PEM") from None


def _until(certificate: x509.Certificate) -> str:
    """The day of its end, in UTC."""
    return str(certificate.not_valid_after_utc.date())


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
