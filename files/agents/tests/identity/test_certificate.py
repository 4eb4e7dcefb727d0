from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from nrs.identity import authority, certificate
from nrs.identity.authority import Authority, new_key, server_certificate
from nrs.identity.certificate import Bundle, CertificateRefused, covers, days_left, is_due
from nrs.identity.credential import date

from .certificates import DAY, TODAY


def server(ca: Authority, *hosts: str) -> x509.Certificate:
    return server_certificate(ca, new_key().public_key(), hosts or ("192.0.2.10",), TODAY)


END = TODAY - 300 + 398 * DAY


def test_a_file_may_hold_several(tmp_path: Path, ca: Authority, other_ca: Authority) -> None:
    path = tmp_path / "ca.pem"
    both = (ca.certificate, other_ca.certificate)
    path.write_text("in force:\n" + authority.text(both))
    read = certificate.read(path)
    assert (read.file, read.certificates, read.first) == (str(path), both, ca.certificate)


@pytest.mark.parametrize("content", [b"", b"text", b"\xff", b"-----BEGIN CERTIFICATE-----\nAA"])
def test_a_file_that_holds_none_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "server.pem"
    path.write_bytes(content)
    with pytest.raises(CertificateRefused, match=f"^{path}: no certificates in PEM$"):
        certificate.read(path)
    with pytest.raises(CertificateRefused, match=f"^{tmp_path}/none: No such file"):
        certificate.read(tmp_path / "none")


def test_days_and_renewal(ca: Authority) -> None:
    own = server(ca)
    assert certificate.ends(own) == END
    for left, days, due in ((398.0, 398, False), (30.01, 30, False), (30.0, 30, True)):
        assert (days_left(own, END - left * DAY), is_due(own, END - left * DAY)) == (days, due)
    assert (days_left(own, END + 1), is_due(own, END + 1)) == (-1, True)


def test_names_that_it_covers(ca: Authority) -> None:
    own = server(ca, "192.0.2.10", "2001:db8::10", "Balancer.example.net")
    for host in ("192.0.2.10", "2001:DB8:0::10", "BALANCER.example.net", "localhost", "::1"):
        assert covers(own, host)
    for host in ("192.0.2.11", "2001:db8::11", "example.net", "x.balancer.example.net", ""):
        assert not covers(own, host)


def test_the_operators_wildcard_covers_one_label(ca: Authority) -> None:
    own = signed(ca, x509.SubjectAlternativeName([x509.DNSName("*.Example.net")]))
    assert covers(own, "balancer.example.net")
    assert not covers(own, "a.balancer.example.net")
    assert not covers(own, "example.net")
    assert not covers(own, "192.0.2.10")


def signed(ca: Authority, *extensions: x509.ExtensionType, until: float = END) -> x509.Certificate:
    """One that is not as the deployment's own."""
    own = server(ca)
    builder = (
        x509.CertificateBuilder()
        .issuer_name(own.issuer)
        .subject_name(own.subject)
        .public_key(own.public_key())
        .serial_number(1)
        .not_valid_before(own.not_valid_before_utc)
        .not_valid_after(certificate.utc(until))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(ca.key, SHA256())


def test_one_clear_line_with_file_and_date(ca: Authority, other_ca: Authority) -> None:
    bundle = Bundle("server.pem", (server(ca),))
    ours, theirs = (Bundle("ca.pem", (one.certificate,)) for one in (ca, other_ca))
    name = certificate.common_name(ca.certificate.subject)

    def problem(now: float = TODAY, authorities: Bundle = ours, at: str = "[::1]") -> str | None:
        url = f"https://{at}:8080"
        return certificate.problem(bundle, now=now, authorities=authorities, url=url)

    assert problem() is None
    assert certificate.problem(bundle, now=TODAY) is None
    assert problem(now=END) == f"server.pem: the certificate expired on {date(END)}"
    assert problem(now=TODAY - 301) == (
        f"server.pem: the certificate is not valid before {date(TODAY - 300)}"
    )
    assert problem(authorities=theirs) == (
        f"server.pem: the certificate (until {date(END)}) is signed by {name},"
        " which is no CA in ca.pem"
    )
    assert problem(at="192.0.2.11") == (
        f"server.pem: the certificate (until {date(END)}) is for localhost, 192.0.2.10,"
        " 127.0.0.1, ::1, not for 192.0.2.11"
    )


def test_one_for_urls_is_for_their_ports_alone(ca: Authority) -> None:
    bundle = Bundle("server.pem", (server(ca, "https://192.0.2.10:8080", "192.0.2.1"),))
    for url in ("https://192.0.2.10:8080", "https://LOCALHOST:8080/", "https://[0::1]:8080"):
        assert certificate.problem(bundle, now=TODAY, url=url) is None
    stated = ", ".join(certificate.urls(bundle.first))
    for url in ("https://192.0.2.10:8090", "https://127.0.0.1", "https://192.0.2.1:8080"):
        assert certificate.problem(bundle, now=TODAY, url=url) == (
            f"server.pem: the certificate (until {date(END)}) is for {stated}, not for {url}"
        )


def test_a_ca_that_has_expired_is_named_with_its_file(ca: Authority) -> None:
    now = certificate.ends(ca.certificate)
    bundle = Bundle("server.pem", (signed(ca, until=now + DAY),))
    line = certificate.problem(bundle, now=now, authorities=Bundle("ca.pem", (ca.certificate,)))
    name = certificate.common_name(ca.certificate.subject)
    assert line == f"ca.pem: the CA {name} expired on {date(now)}"


def test_the_operators_chain_is_followed(ca: Authority, other_ca: Authority) -> None:
    between = Authority(new_key(), ca.certificate)
    intermediate = server_certificate(ca, between.key.public_key(), ["intermediate"], TODAY)
    own = server(Authority(between.key, intermediate), "192.0.2.10")
    known = Bundle("ca.pem", (other_ca.certificate, ca.certificate))
    assert certificate.signer(Bundle("a", (own, intermediate)), known) == ca.certificate
    assert certificate.signer(Bundle("a", (own, other_ca.certificate)), known) is None
    assert certificate.signer(Bundle("a", (own,)), known) is None


def test_a_certificate_without_names_is_for_no_host(ca: Authority) -> None:
    bundle = Bundle("old.pem", (signed(ca),))
    line = certificate.problem(bundle, now=TODAY, url="https://192.0.2.10")
    assert line is not None
    assert line.endswith("is for no host, not for 192.0.2.10")


def test_a_warning_from_30_days_before_the_end(ca: Authority) -> None:
    bundle = Bundle("server.pem", (server(ca),))
    assert certificate.warning(bundle, END - 30 * DAY - 1) is None
    assert certificate.warning(bundle, END - 30 * DAY) == (
        f"server.pem: the certificate of 192.0.2.10 ends in 30 days, on {date(END)}"
    )
    assert certificate.warning(bundle, END) == (
        f"server.pem: the certificate of 192.0.2.10 ends in 0 days, on {date(END)}"
    )
    assert certificate.warning(bundle, END + 1) == (
        f"server.pem: the certificate of 192.0.2.10 ended on {date(END)}"
    )
