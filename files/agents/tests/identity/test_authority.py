from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID

from nrs.identity import authority, certificate
from nrs.identity.authority import (
    CA_LIFETIME,
    SERVER_LIFETIME,
    Authority,
    AuthorityRefused,
    NoSuchName,
    new_key,
    server_certificate,
)

from .certificates import TODAY, Serve

LOCAL = ("localhost", "127.0.0.1", "[::1]")


def issued(ca: Authority, *hosts: str, now: float = TODAY) -> x509.Certificate:
    return server_certificate(ca, new_key().public_key(), hosts or ("192.0.2.10",), now)


def usage(of: x509.Certificate) -> set[str]:
    value = of.extensions.get_extension_for_class(x509.KeyUsage).value
    listed = ("digital_signature", "key_cert_sign", "crl_sign", "key_encipherment")
    return {name for name in listed if getattr(value, name)}


def test_a_ca_signs_servers_and_nothing_else(ca: Authority) -> None:
    own = ca.certificate
    constraints = own.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    assert usage(own) == {"key_cert_sign", "crl_sign"}
    assert isinstance(ca.key.curve, ec.SECP256R1)
    own.verify_directly_issued_by(own)


def test_a_server_only_serves(ca: Authority) -> None:
    own = issued(ca)
    constraints = own.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert not constraints.value.ca
    assert usage(own) == {"digital_signature"}
    extended = own.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.SERVER_AUTH]
    own.verify_directly_issued_by(ca.certificate)


def test_lifetimes(ca: Authority) -> None:
    for made, lifetime in ((ca.certificate, CA_LIFETIME), (issued(ca), SERVER_LIFETIME)):
        assert made.not_valid_after_utc - made.not_valid_before_utc == lifetime
        assert made.not_valid_before_utc.timestamp() == TODAY - 300
    assert (timedelta(days=3650), timedelta(days=398)) == (CA_LIFETIME, SERVER_LIFETIME)


def test_no_server_outlives_its_ca(ca: Authority) -> None:
    late = issued(ca, now=TODAY + 3500 * 86400)
    assert late.not_valid_after_utc == ca.certificate.not_valid_after_utc


def test_names_addresses_and_loopback(ca: Authority) -> None:
    own = issued(ca, "192.0.2.10", "2001:DB8::0:10", "Balancer.Example.NET", "0::1", "LOCALHOST")
    assert set(certificate.names(own)) == {
        *("192.0.2.10", "2001:db8::10", "balancer.example.net"),
        *("localhost", "127.0.0.1", "::1"),
    }
    assert len(certificate.names(own)) == 6


def test_urls_state_their_hosts_and_with_loopbacks_their_ports(ca: Authority) -> None:
    own = issued(ca, "https://[2001:DB8::0:10]:8443", "https://Balancer.example.net", "192.0.2.1")
    assert certificate.common_name(own.subject) == "2001:db8::10"
    assert set(certificate.names(own)) == {
        *("2001:db8::10", "balancer.example.net", "192.0.2.1"),
        *("localhost", "127.0.0.1", "::1"),
    }
    assert set(certificate.urls(own)) == {
        *("https://[2001:db8::10]:8443", "https://balancer.example.net:443"),
        *(f"https://{local}:{port}" for local in LOCAL for port in (443, 8443)),
    }
    for url in ("http://192.0.2.1:8080", "https://", "ftp://a", "https://a..b"):
        with pytest.raises(NoSuchName):
            issued(ca, url)


def test_a_name_with_an_underscore_is_taken_by_clients(serve: Serve, ca: Authority) -> None:
    """Inventories have such names, and whoever resolves them calls services so."""
    port = serve(ca, "load_balancer_1", "_lb.example.net")
    for host in ("load_balancer_1", "_lb.example.net"):
        with connected(port, authority.text([ca.certificate]), host) as secure:
            assert secure.version() == "TLSv1.3"


@pytest.mark.parametrize(
    "host", ["", "two words", "-a", "a..b", "*.example.net", "192.0.2.256", "fe80::1%eth0", "a\n"]
)
def test_what_is_no_host(ca: Authority, host: str) -> None:
    with pytest.raises(NoSuchName):
        issued(ca, "192.0.2.10", host)


def test_a_ca_is_read_with_its_own_key(ca: Authority, other_ca: Authority) -> None:
    pem = authority.key_text(ca.key).encode()
    assert authority.authority(pem, ca.certificate).key.public_key() == ca.key.public_key()
    with pytest.raises(AuthorityRefused, match="not that of the first certificate"):
        authority.authority(pem, other_ca.certificate)
    for text, problem in ((b"", "not a private key"), (ed25519_pem(), "not of ECDSA")):
        with pytest.raises(AuthorityRefused, match=problem):
            authority.authority(text, ca.certificate)


def ed25519_pem() -> bytes:
    key = Ed25519PrivateKey.generate()
    formats = authority.serialization
    return key.private_bytes(
        formats.Encoding.PEM, formats.PrivateFormat.PKCS8, formats.NoEncryption()
    )


def test_two_cas_have_two_names(ca: Authority, other_ca: Authority) -> None:
    assert ca.certificate.subject != other_ca.certificate.subject


@contextlib.contextmanager
def connected(port: int, authorities: str, host: str) -> Iterator[ssl.SSLSocket]:
    context = ssl.create_default_context(cadata=authorities)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with (
        socket.create_connection(("127.0.0.1", port), 60) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        yield secure


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "192.0.2.10", "2001:db8::10"])
def test_a_strict_client_takes_it(
    serve: Serve, ca: Authority, other_ca: Authority, host: str
) -> None:
    """By TLS 1.3, with both CAs of a rotation in one file in either order."""
    port = serve(ca, "192.0.2.10", "2001:db8::10")
    for both in ((ca, other_ca), (other_ca, ca)):
        with connected(port, authority.text(a.certificate for a in both), host) as secure:
            assert secure.version() == "TLSv1.3"


def test_a_strict_client_refuses_others(serve: Serve, ca: Authority, other_ca: Authority) -> None:
    port = serve(ca, "192.0.2.10")
    for trusted, host, problem in (
        (other_ca, "192.0.2.10", "unable to get local issuer"),
        (ca, "192.0.2.11", "IP address mismatch"),
        (ca, "example.net", "Hostname mismatch"),
    ):
        text = authority.text([trusted.certificate])
        with (
            pytest.raises(ssl.SSLCertVerificationError, match=problem),
            connected(port, text, host),
        ):
            pass


def test_a_server_is_no_ca(ca: Authority, serve: Serve, tmp_path: Path) -> None:
    """What a captured server holds signs nothing that a client takes."""
    key = new_key()
    own = server_certificate(ca, key.public_key(), ["192.0.2.10"], TODAY)
    port = serve(Authority(key, own), "192.0.2.99", chain=[own])
    text = authority.text([ca.certificate])
    with pytest.raises(ssl.SSLCertVerificationError), connected(port, text, "192.0.2.99"):
        pass


@pytest.mark.parametrize(
    ("hosts", "again"),
    [
        (("192.0.2.10", "balancer.example.net"), ("192.0.2.10", "balancer.example.net")),
        (("2001:DB8::0:10", "a", "192.0.2.10"), ("2001:db8::10", "a", "192.0.2.10")),
        (("Long." * 20 + "net", "short"), ("long." * 20 + "net", "short")),
        (("127.0.0.1",), authority.LOOPBACK),
    ],
)
def test_hosts_outlive_a_renewal(
    ca: Authority, hosts: tuple[str, ...], again: tuple[str, ...]
) -> None:
    made = issued(ca, *hosts)
    assert sorted(authority.called(made)) == sorted(again)
    assert len(again[0]) > 64 or authority.called(made)[0] in (again[0], "127.0.0.1")
    assert authority.why_anew(made, ca, authority.called(made), TODAY) is None


@pytest.mark.parametrize(
    "called", [("https://192.0.2.10:8080", "https://a"), ("a", "https://b"), ("https://[::1]:1",)]
)
def test_urls_outlive_a_renewal(ca: Authority, called: tuple[str, ...]) -> None:
    made = issued(ca, *called)
    assert authority.why_anew(made, ca, authority.called(made), TODAY) is None
    assert certificate.urls(issued(ca, *authority.called(made))) == certificate.urls(made)


def test_when_a_certificate_is_made_anew(ca: Authority, other_ca: Authority) -> None:
    made = issued(ca, "192.0.2.10", "balancer.example.net")
    same = ("Balancer.example.net", "192.0.2.10")

    def why(by: Authority = ca, hosts: tuple[str, ...] = same, left: float = 31.0) -> str | None:
        now = certificate.ends(made) - left * 86400
        return authority.why_anew(made, by, hosts, now)

    assert why() is None
    assert why(by=other_ca) == "it is of another CA"
    assert why(hosts=same[:1]) == why(hosts=(*same, "::2")) == "it is for other hosts or ports"
    assert why(hosts=(*same, "https://192.0.2.10:8080")) == "it is for other hosts or ports"
    assert why(left=30.0) == "it is about to end"
    with pytest.raises(NoSuchName):
        why(hosts=("two words",))
