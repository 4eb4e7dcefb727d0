"""The deployment's own CA, and the certificates of servers that it signs (RFC 5280).

ECDSA P-256 with SHA-256. A CA is good for 10 years, a server's certificate for 398 days and never
longer than its CA.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from nrs.identity.audience import audience_of
from nrs.identity.certificate import Bundle, common_name, is_due, names, signer, urls, utc

CA_LIFETIME = timedelta(days=3650)
SERVER_LIFETIME = timedelta(days=398)
LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""What every server's certificate is for as well."""
_LOOPBACK_URLS = ("https://localhost:{}", "https://127.0.0.1:{}", "https://[::1]:{}")
_CLOCK_SKEW = timedelta(minutes=5)
_DNS_NAME = re.compile(
    r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
)


class NoSuchName(ValueError):
    """A certificate cannot be made for this host; the text names it."""


class AuthorityRefused(ValueError):
    """Key and certificate are not those of a CA; the text says why."""


@dataclass(frozen=True)
class Authority:
    """A CA that signs."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def new_authority(now: float) -> Authority:
    """A CA of a name of its own, so that two of a deployment are told apart."""
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    name = _name(f"network routing CA {serial:040x}"[:27])
    begin = utc(now) - _CLOCK_SKEW
    certificate = (
        _builder(name, name, key.public_key(), serial)
        .not_valid_before(begin)
        .not_valid_after(begin + CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, SHA256())
    )
    return Authority(key, certificate)


def server_certificate(
    authority: Authority, public_key: ec.EllipticCurvePublicKey, called: Sequence[str], now: float
) -> x509.Certificate:
    """A certificate for names, addresses and URLs, and loopback's. Raises NoSuchName.

    With URLs it is for their ports alone, so that it does not pass for another service of its host.
    """
    sans = subjects(called)
    begin = utc(now) - _CLOCK_SKEW
    end = min(begin + SERVER_LIFETIME, authority.certificate.not_valid_after_utc)
    of_ca = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return (
        _builder(
            _name(str(sans[0].value)[:64]),
            authority.certificate.subject,
            public_key,
            x509.random_serial_number(),
        )
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(sans), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(of_ca.value),
            critical=False,
        )
        .sign(authority.key, SHA256())
    )


def called(of: x509.Certificate) -> tuple[str, ...]:
    """What a server's certificate was made for, as `server_certificate` takes it."""
    first = common_name(of.subject)
    own = [name for name in names(of) if name not in LOOPBACK] or LOOPBACK
    return (*sorted(own, key=lambda name: name != first), *urls(of))


def why_anew(
    present: x509.Certificate, authority: Authority, called: Sequence[str], now: float
) -> str | None:
    """Why a server's certificate is to be made anew, to be `called` so; None where it is good.

    Raises NoSuchName.
    """
    stated = present.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if signer(Bundle("", (present,)), Bundle("", (authority.certificate,))) is None:
        return "it is of another CA"
    if set(stated) != set(subjects(called)):
        return "it is for other hosts or ports"
    return "it is about to end" if is_due(present, now) else None


def subjects(called: Sequence[str]) -> list[x509.GeneralName]:
    """Names, addresses and URLs, and loopback's, as stated in a certificate. Raises NoSuchName."""
    stated = {each: _url(each) for each in called if "://" in each}
    ports = {urlsplit(url).port for url in stated.values()}
    local = (url.format(port) for port in sorted(filter(None, ports)) for url in _LOOPBACK_URLS)
    hosts = [urlsplit(stated[each]).hostname or "" if each in stated else each for each in called]
    found = [subject(host) for host in (*hosts, *LOOPBACK)]
    found += map(x509.UniformResourceIdentifier, (*stated.values(), *local))
    return list(dict.fromkeys(found))


def _url(text: str) -> str:
    try:
        url = audience_of(text)
    except ValueError as error:
        raise NoSuchName(str(error)) from None
    if not url.startswith("https:"):
        raise NoSuchName(f"{text!r} is not called by TLS: it begins with https://")
    return url


def subject(host: str) -> x509.GeneralName:
    """A host name or an address as a certificate states it. Raises NoSuchName."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        if getattr(address, "scope_id", None):
            raise NoSuchName(f"{host!r}: an address with an interface is in no certificate")
        return x509.IPAddress(address)
    if not _DNS_NAME.fullmatch(host.lower()) or host.rpartition(".")[2].isdecimal():
        raise NoSuchName(f"{host!r} is neither a host name nor an address")
    return x509.DNSName(host.lower())


def authority(key_pem: bytes, certificate: x509.Certificate) -> Authority:
    """The CA of a key and its certificate. Raises AuthorityRefused."""
    key = server_key(key_pem)
    if key.public_key() != certificate.public_key():
        raise AuthorityRefused("the key is not that of the first certificate")
    return Authority(key, certificate)


def server_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """The private key in PEM text. Raises AuthorityRefused."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        raise AuthorityRefused("not a private key in PEM, or one with a password") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise AuthorityRefused("a private key, but not of ECDSA")
    return key


def new_key() -> ec.EllipticCurvePrivateKey:
    """A key for a server."""
    return ec.generate_private_key(ec.SECP256R1())


def key_text(key: ec.EllipticCurvePrivateKey) -> str:
    """A private key as PEM text."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def text(certificates: Iterable[x509.Certificate]) -> str:
    """Certificates as PEM text, in their order."""
    return "".join(c.public_bytes(serialization.Encoding.PEM).decode() for c in certificates)


def _builder(
    name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, serial: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
