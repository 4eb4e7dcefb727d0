"""Certificates for tests: a CA, and what it signs, in files."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime.now(timezone.utc)
DAY = timedelta(days=1)


class Authority:
    """A CA; `file` is what clients trust."""

    def __init__(self, directory: Path, name: str = "example CA") -> None:
        self._directory = directory
        self._name = _named(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        unsigned = _unsigned(self._name, self._name, self._key, NOW - DAY, NOW + 3650 * DAY)
        certificate = unsigned.add_extension(x509.BasicConstraints(True, None), critical=True)
        usage = x509.KeyUsage(*[False] * 5, True, True, False, False)
        public = self._key.public_key()
        own = x509.SubjectKeyIdentifier.from_public_key(public)
        self._issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(public)
        certificate = certificate.add_extension(own, critical=False)
        self.file = directory / f"{name.replace(' ', '_')}.pem"
        signed = certificate.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())
        self.file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def certify(
        self, name: str, *addresses: str, begin: datetime = NOW - DAY, end: datetime = NOW + 9 * DAY
    ) -> tuple[Path, Path]:
        """Certificate and key of a service at these addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        unsigned = _unsigned(_named(name), self._name, key, begin, end)
        names = [x509.IPAddress(ipaddress.ip_address(each)) for each in addresses]
        for extension in (x509.SubjectAlternativeName(names), self._issuer):
            unsigned = unsigned.add_extension(extension, critical=False)
        signed = unsigned.sign(self._key, hashes.SHA256())
        certificate_file = self._directory / f"{name}.pem"
        key_file = self._directory / f"{name}.key"
        certificate_file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        key_file.touch(mode=0o600)
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return certificate_file, key_file


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _unsigned(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begin: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
