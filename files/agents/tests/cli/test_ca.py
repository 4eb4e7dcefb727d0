"""`nrs ca` on real files."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest

from nrs.identity import authority, certificate

from .conftest import Nrs

DAY = 86400.0


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    return tmp_path / "secrets"


@pytest.fixture
def ca(inline: Nrs, secrets: Path) -> Nrs:
    return lambda command, *rest: inline("ca", command, "--directory", secrets, *rest)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def age(secrets: Path, host: str, days: float) -> None:
    """Put a certificate in place that was made `days` ago."""
    file = secrets / "certificates" / f"{host}.pem"
    key = (secrets / "ca_key").read_bytes()
    ca = authority.authority(key, certificate.read(secrets / "ca.pem").first)
    public = certificate.read(file).first.public_key()
    made = authority.server_certificate(ca, public, [host], time.time() - days * DAY)
    file.write_text(authority.text([made]))


def test_a_ca_is_made_once(ca: Nrs, secrets: Path) -> None:
    done = ca("init")
    assert (done.returncode, done.stderr) == (0, "")
    assert (mode(secrets), mode(secrets / "ca_key")) == (0o700, 0o600)
    assert mode(secrets / "ca.pem") == 0o644
    before = [(secrets / name).read_bytes() for name in ("ca_key", "ca.pem")]
    again = ca("init")
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr == f"{secrets}/ca_key is there already, and a key is never replaced\n"
    assert [(secrets / name).read_bytes() for name in ("ca_key", "ca.pem")] == before


def test_a_certificate_for_a_service(ca: Nrs, secrets: Path) -> None:
    ca("init")
    done = ca("issue", "2001:DB8::10", "192.0.2.10", "Balancer.example.net")
    assert (done.returncode, done.stderr) == (0, "")
    file = secrets / "certificates" / "2001-db8--10.pem"
    assert mode(file.with_suffix(".key")) == 0o600
    bundle, known = certificate.read(file), certificate.read(secrets / "ca.pem")
    for host in ("2001:db8::10", "192.0.2.10", "balancer.example.net", "127.0.0.1", "::1"):
        now = time.time()
        url = f"https://{f'[{host}]' if ':' in host else host}:8080"
        assert certificate.problem(bundle, now=now, authorities=known, url=url) is None
    key = authority.server_key(file.with_suffix(".key").read_bytes())
    assert key.public_key() == bundle.first.public_key()


def test_a_certificate_by_url_is_for_its_port_and_is_renewed_so(ca: Nrs, secrets: Path) -> None:
    ca("init")
    file = secrets / "certificates" / "2001-db8--10-8080.pem"
    for arguments in (("issue", "https://[2001:DB8::10]:8080/"), ("renew", "--force")):
        assert ca(*arguments).returncode == 0
        bundle, now = certificate.read(file), time.time()
        for host in ("[2001:db8::10]", "127.0.0.1"):
            assert certificate.problem(bundle, now=now, url=f"https://{host}:8080") is None
            assert certificate.problem(bundle, now=now, url=f"https://{host}:8090") is not None
    assert f"{file}: https://[2001:db8::10]:8080, https://localhost:8080, " in ca("show").stdout


def test_a_name_with_an_underscore(ca: Nrs, secrets: Path) -> None:
    ca("init")
    assert ca("issue", "load_balancer_1").returncode == 0
    own = certificate.read(secrets / "certificates" / "load_balancer_1.pem").first
    assert certificate.covers(own, "load_balancer_1")


def test_a_good_one_stays_and_others_are_made_anew(ca: Nrs, secrets: Path) -> None:
    ca("init")
    ca("issue", "192.0.2.10")
    file = secrets / "certificates" / "192.0.2.10.pem"
    key = file.with_suffix(".key").read_bytes()
    for arguments, changes in (
        (("issue", "192.0.2.10"), False),
        (("issue", "192.0.2.10", "::2"), True),
        (("renew",), False),
        (("renew", "--force"), True),
    ):
        before = file.read_bytes()
        assert ca(*arguments).returncode == 0
        assert (file.read_bytes() != before) == changes
    assert certificate.covers(certificate.read(file).first, "::2")
    assert file.with_suffix(".key").read_bytes() == key


def test_renewal_from_30_days_before_the_end(ca: Nrs, secrets: Path) -> None:
    ca("init")
    for host, days in (("192.0.2.10", 367.0), ("192.0.2.11", 369.0), ("192.0.2.12", 400.0)):
        ca("issue", host)
        age(secrets, host, days)
    shown = ca("show")
    assert shown.returncode == 1
    first, second = shown.stderr.splitlines()
    directory = secrets / "certificates"
    assert first.startswith(f"{directory}/192.0.2.11.pem: the certificate of 192.0.2.11 ends in 28")
    assert second.startswith(f"{directory}/192.0.2.12.pem: the certificate expired on 20")
    done = ca("renew").stdout
    assert f"{directory}/192.0.2.10.pem is good" in done
    assert done.count("is made anew: it is about to end") == 2
    assert (ca("show").returncode, ca("show").stderr) == (0, "")


def test_changing_the_ca(ca: Nrs, secrets: Path) -> None:
    ca("init")
    ca("issue", "192.0.2.10")
    (secrets / "ca_key").rename(secrets / "previous_ca_key")
    assert ca("init").returncode == 0
    known = certificate.read(secrets / "ca.pem")
    file = secrets / "certificates" / "192.0.2.10.pem"
    assert len(known.certificates) == 2
    assert certificate.signer(certificate.read(file), known) == known.certificates[1]
    assert ca("show").returncode == 0
    done = ca("renew", "--forget-previous")
    assert "is made anew: it is of another CA" in done.stdout
    left = certificate.read(secrets / "ca.pem")
    assert left.certificates == known.certificates[:1]
    assert certificate.signer(certificate.read(file), left) == left.first


def test_a_foreign_certificate_is_told(ca: Nrs, inline: Nrs, secrets: Path, tmp_path: Path) -> None:
    ca("init")
    other = tmp_path / "other"
    inline("ca", "init", "--directory", other)
    inline("ca", "issue", "192.0.2.10", "--directory", other)
    file = other / "certificates" / "192.0.2.10.pem"
    done = ca("show", file)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{file}: localhost, 192.0.2.10, 127.0.0.1, ::1, until 20")
    assert done.stderr.startswith(f"{file}: the certificate (until 20")
    assert done.stderr.endswith(f"which is no CA in {secrets}/ca.pem\n")


@pytest.mark.parametrize("host", ["two words", "bad-", "192.0.2.256", "../x", ""])
def test_what_is_no_host_is_named(ca: Nrs, secrets: Path, host: str) -> None:
    ca("init")
    done = ca("issue", "192.0.2.10", host)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{host!r} is neither a host name nor an address" in done.stderr
    assert not (secrets / "certificates").exists()


def test_without_a_ca_or_with_a_damaged_one(ca: Nrs, secrets: Path) -> None:
    for command in (("issue", "192.0.2.10"), ("renew",), ("show",)):
        done = ca(*command)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.endswith(": no such file; `nrs ca init` makes it\n")
    ca("init")
    good = (secrets / "ca_key").read_text()
    (secrets / "ca_key").write_text("damaged")
    assert (
        ca("renew").stderr
        == f"{secrets}/ca_key: not a private key in PEM, or one with a password\n"
    )
    (secrets / "ca_key").write_text(authority.key_text(authority.new_key()))
    assert ca("renew").stderr == f"{secrets}/ca_key: the key is not that of the first certificate\n"
    (secrets / "ca_key").write_text(good)
    (secrets / "ca.pem").write_text("damaged")
    assert ca("renew").stderr == f"{secrets}/ca.pem: no certificates in PEM\n"
