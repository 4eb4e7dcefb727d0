"""Certificates, read: until when and for which names they are, and what is wrong with one."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from nrs.identity.audience import audience_of
from nrs.identity.credential import date

RENEWAL_DAYS = 30
"""How long before its end a certificate is due for renewal, and warned of."""
_DAY_S = 86400.0


class CertificateRefused(ValueError):
    """A file holds no certificates; the text names it."""


@dataclass(frozen=True)
class Bundle:
    """The certificates of a file in their order: a server's own first, or several CAs."""

    file: str
    certificates: tuple[x509.Certificate, ...]

    @property
    def first(self) -> x509.Certificate:
        """The server's own, or the CA in force."""
        return self.certificates[0]


def read(path: Path) -> Bundle:
    """The certificates in a PEM file. Raises CertificateRefused."""
    try:
        return parse(path.read_bytes(), str(path))
    except OSError as error:
        raise CertificateRefused(f"{path}: {error.strerror}") from None


def parse(pem: bytes, file: str) -> Bundle:
    """The certificates in PEM text, which is called `file`. Raises CertificateRefused."""
    try:
        return Bundle(file, tuple(x509.load_pem_x509_certificates(pem)))
    except ValueError:
        raise CertificateRefused(f"{file}: no certificates in PEM") from None


def ends(certificate: x509.Certificate) -> float:
    """Until when it is good, in seconds since the epoch."""
    return certificate.not_valid_after_utc.timestamp()


def days_left(certificate: x509.Certificate, now: float) -> int:
    """Whole days until the end; negative after it."""
    return int((ends(certificate) - now) // _DAY_S)


def is_due(certificate: x509.Certificate, now: float) -> bool:
    """Whether it is time to renew it."""
    return ends(certificate) - now <= RENEWAL_DAYS * _DAY_S


def common_name(name: x509.Name) -> str:
    """What a subject or issuer is called."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string() or "nobody"


def names(certificate: x509.Certificate) -> tuple[str, ...]:
    """The host names and addresses that it is for (RFC 5280 section 4.2.1.6)."""
    stated = _stated(certificate)
    hosts = stated.get_values_for_type(x509.DNSName)
    return (*hosts, *map(str, stated.get_values_for_type(x509.IPAddress)))


def urls(certificate: x509.Certificate) -> tuple[str, ...]:
    """The URLs that it is for alone; none where it is for every port of its hosts."""
    stated = _stated(certificate).get_values_for_type(x509.UniformResourceIdentifier)
    return tuple(url for url in stated if url.startswith("https://"))


def _stated(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return x509.SubjectAlternativeName([])
    return found.value


def covers(certificate: x509.Certificate, host: str) -> bool:
    """Whether it is for `host`, a name or an address without brackets (RFC 6125 section 6.4)."""
    try:
        wanted = str(ipaddress.ip_address(host))
    except ValueError:
        wanted = host.lower().rstrip(".")
        above = "*." + wanted.partition(".")[2]
        return any(name.lower() in (wanted, above) for name in names(certificate))
    return wanted in names(certificate)


def is_of(certificate: x509.Certificate, url: str) -> bool:
    """Whether it is for the host of `url`, and for its port too. Raises ValueError."""
    only = urls(certificate)
    return covers(certificate, urlsplit(url).hostname or "") and (
        not only or audience_of(url) in only
    )


def signer(bundle: Bundle, authorities: Bundle) -> x509.Certificate | None:
    """The CA that the first certificate leads to, by the others of its file."""
    present, between = bundle.first, list(bundle.certificates[1:])
    while True:
        found = next((ca for ca in authorities.certificates if _issued(present, ca)), None)
        above = next((other for other in between if _issued(present, other)), None)
        if found is not None or above is None:
            return found
        between.remove(above)
        present = above


def problem(
    bundle: Bundle, *, now: float, authorities: Bundle | None = None, url: str | None = None
) -> str | None:
    """What is wrong with the certificate of what is at `url`, in a line that names file and date.

    Raises ValueError for what is no URL.
    """
    own, until = bundle.first, f"until {date(ends(bundle.first))}"
    begins = own.not_valid_before_utc.timestamp()
    if now >= ends(own):
        return f"{bundle.file}: the certificate expired on {date(ends(own))}"
    if now < begins:
        return f"{bundle.file}: the certificate is not valid before {date(begins)}"
    if authorities is not None:
        above = signer(bundle, authorities)
        if above is None:
            return (
                f"{bundle.file}: the certificate ({until}) is signed by"
                f" {common_name(own.issuer)}, which is no CA in {authorities.file}"
            )
        if now >= ends(above):
            name = common_name(above.subject)
            return f"{authorities.file}: the CA {name} expired on {date(ends(above))}"
    if url is not None and not is_of(own, url):
        listed = ", ".join(urls(own) or names(own)) or "no host"
        wanted = url if urls(own) else urlsplit(url).hostname
        return f"{bundle.file}: the certificate ({until}) is for {listed}, not for {wanted}"
    return None


def no_key_of(bundle: Bundle, key_file: Path) -> str | None:
    """Why the file has not the key of the first certificate, in a line that names both."""
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    except OSError as error:
        return f"cannot read {key_file}: {error.strerror}"
    except TypeError:
        return f"{key_file} is encrypted: a service cannot ask for its words"
    except (ValueError, UnsupportedAlgorithm) as error:
        return f"{key_file} holds no private key in PEM: {error}"
    if key.public_key() != bundle.first.public_key():
        until = f"until {date(ends(bundle.first))}"
        return f"{key_file} is not the key of the certificate ({until}) in {bundle.file}"
    return None


def ending(bundle: Bundle, now: float) -> str | None:
    """Which certificate of the file has ended or will within 30 days, if any; not in which file."""
    due = next((found for found in bundle.certificates if is_due(found, now)), None)
    if due is None:
        return None
    name, left = common_name(due.subject), days_left(due, now)
    when = f"ends in {left} days, on" if left >= 0 else "ended on"
    return f"the certificate of {name} {when} {date(ends(due))}"


def warning(bundle: Bundle, now: float) -> str | None:
    """A line on a certificate of the file that has ended or will within 30 days."""
    due = ending(bundle, now)
    return None if due is None else f"{bundle.file}: {due}"


def _issued(certificate: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def utc(seconds: float) -> datetime:
    """Seconds since the epoch as a certificate states them: whole ones."""
    return datetime.fromtimestamp(int(seconds), timezone.utc)
