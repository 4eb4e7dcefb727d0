"""A service's certificate by the role's tasks, on this machine: made when due, its key not told."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from local_host import LocalHost

URL = "https://192.0.2.10:8080"
# Puts a certificate for the same key in place that was made so many days ago.
AGE = """
import sys, time
from pathlib import Path
from nrs.cli import certificates
from nrs.cli.deployment import Deployment
deployment, file = Deployment(Path(sys.argv[1])), Path(sys.argv[2])
ca = certificates.present_authority(deployment, time.time())
then = time.time() - float(sys.argv[3]) * 86400
certificates.make(deployment, ca, file, ["https://192.0.2.10:8080", "https://192.0.2.1:8080"], then)
"""


class Host(LocalHost):
    """That of a load balancer."""

    def __init__(self, tools: Any, collections: Path, cache: Path, place: Path) -> None:
        super().__init__(tools, collections, cache, place)
        self.tasks = ("authority", "certificate")
        self.made = self.secrets / "certificates" / "load_balancer-here.pem"
        self.certificate = self.etc / "certificate_load_balancer.pem"
        self.key = self.etc / "certificate_load_balancer.key"
        self.has("load_balancer")
        self.variables |= {
            "_common_urls": [URL],
            "_common_bind_port": 8080,
            "_common_own_certificate_file": "",
            "_common_own_key_file": "",
            "_common_own_key": "",
            "nrs_management_address": "192.0.2.1",
        }

    def age(self, days: float) -> None:
        """Let the certificate have been made so many days ago."""
        subprocess.run(
            [sys.executable, "-c", AGE, self.secrets, self.made, str(days)],
            env={**os.environ, "PYTHONPATH": self.python_path(), "PYTHONDONTWRITEBYTECODE": "1"},
            check=True,
        )

    def own(self, name: str, *, days: int = 90) -> dict[str, str]:
        """A certificate of the operator's that is its own CA, as variables of the role."""
        certificate, key = self.place / f"{name}.pem", self.place / f"{name}.key"
        words = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-sha256"]
        words += ["-subj", f"/CN={name}", "-addext", f"subjectAltName=IP:{name}"]
        words += ["-days", str(days), "-keyout", str(key), "-out", str(certificate)]
        self.tools.run("openssl", "req", "-x509", *words)
        return {
            "_common_own_certificate_file": str(certificate),
            "_common_own_key_file": str(key),
            "nrs_ca_file": str(certificate),
        }

    def trusted(self, address: str, by: str = "-verify_ip") -> bool:
        """Whether whoever trusts the host's CAs takes what it shows at this address."""
        words = ["openssl", "verify", "-CAfile", self.etc / "ca.pem", by, address]
        return bool(self.tools.end(*words, self.certificate).returncode == 0)


@pytest.fixture
def bare(tools: Any, installed: Path, cache: Path, tmp_path: Path) -> Host:
    """One that has nothing."""
    return Host(tools, installed, cache, tmp_path)


@pytest.fixture
def host(bare: Host) -> Host:
    """One that has a certificate of the deployment's own CA."""
    bare.deploy("--check", changed=4)
    assert not bare.secrets.exists()
    assert list(bare.etc.iterdir()) == []
    said = bare.deploy("-vvv", "--diff", changed=5)
    assert "load_balancer of here gets a certificate: there is none" in said
    assert bare.key.read_text().splitlines()[1] not in said
    return bare


def test_a_service_has_a_certificate_and_keeps_it(host: Host) -> None:
    assert stat.S_IMODE(host.key.stat().st_mode) == 0o600
    for address in ("192.0.2.10", "192.0.2.1", "127.0.0.1", "::1"):
        assert host.trusted(address)
    assert not host.trusted("192.0.2.11")
    host.deploy(changed=0)
    host.deploy("--check", changed=0)


def test_a_service_that_is_called_by_a_name_with_an_underscore(bare: Host) -> None:
    bare.variables["_common_urls"] = ["https://load_balancer_1:8080"]
    bare.deploy(changed=5)
    assert bare.trusted("load_balancer_1", "-verify_hostname")


def test_it_is_for_the_ports_of_the_service_alone(host: Host) -> None:
    host.variables |= {"_common_urls": ["https://192.0.2.10:8443"], "_common_bind_port": 8080}
    host.deploy(changed=2)
    words = ["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", host.certificate]
    said = host.tools.run(*words)
    for url in (
        *("https://192.0.2.10:8443", "https://192.0.2.1:8080"),
        *("https://[::1]:8080", "https://localhost:8443"),
    ):
        assert f"URI:{url}" in said


def renewed(host: Host, why: str) -> None:
    """The next run makes another for this reason, the one after it none."""
    before, key = host.certificate.read_bytes(), host.key.read_bytes()
    assert why in host.deploy("--check", changed=2)
    assert host.certificate.read_bytes() == before
    assert why in host.deploy(changed=2)
    assert host.certificate.read_bytes() != before
    assert host.key.read_bytes() == key  # a pair fits at any moment
    host.deploy(changed=0)


@pytest.mark.parametrize("other", ["https://lb.example.org:8080", "https://192.0.2.10:8443"])
def test_it_gets_another_when_it_is_called_otherwise(host: Host, other: str) -> None:
    for urls in ([URL, other], [URL]):
        host.variables["_common_urls"] = urls
        renewed(host, "it is for other hosts or ports")


def test_it_gets_another_before_it_ends(host: Host) -> None:
    host.age(367)
    host.deploy(changed=1)
    host.age(369)
    renewed(host, "it is about to end")


def test_it_gets_another_earlier_where_that_is_asked_for(host: Host) -> None:
    host.variables["nrs_certificate_renew_days"] = 100
    host.age(297)
    host.deploy(changed=1)
    host.age(299)
    renewed(host, "it ends within 100 days")


def test_it_gets_another_of_the_next_ca(host: Host) -> None:
    authorities = host.etc / "ca.pem"
    before = authorities.read_text()
    (host.secrets / "ca_key").unlink()
    assert "it is of another CA" in host.deploy("--check", changed=3)
    assert "it is of another CA" in host.deploy(changed=4)
    assert authorities.read_text().endswith(before)  # what the others show is trusted meanwhile
    host.deploy(changed=0)


def test_an_operators_own_certificate(bare: Host) -> None:
    bare.variables |= bare.own("192.0.2.10")
    said = bare.deploy("-vvv", "--diff", changed=3)
    assert bare.key.read_text().splitlines()[1] not in said
    assert not bare.secrets.exists()
    assert bare.trusted("192.0.2.10")
    assert "ends in" not in bare.deploy(changed=0)
    bare.variables |= bare.own("192.0.2.10", days=20)
    said = bare.deploy(changed=3)
    assert "192.0.2.10.pem: the certificate of 192.0.2.10 ends in 19 days, on " in said


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda host: {"_common_own_key_file": ""}, "load_balancer_key_file go together"),
        (
            lambda host: {"_common_urls": [URL, "http://192.0.2.10:8080"]},
            "http://192.0.2.10:8080, but the service speaks TLS",
        ),
        (
            lambda host: {"_common_urls": ["https://192.0.2.11:8080"]},
            "is for 192.0.2.10, not for 192.0.2.11",
        ),
        (
            lambda host: {"nrs_ca_file": host.own("192.0.2.9")["nrs_ca_file"]},
            "which is no CA in",
        ),
        (lambda host: {"_common_own_certificate_file": "/no/such"}, "/no/such: No such file"),
    ],
)
def test_what_nobody_would_trust_is_not_deployed(
    bare: Host, spoil: Callable[[Host], dict[str, Any]], said: str
) -> None:
    bare.variables |= bare.own("192.0.2.10")
    bare.variables |= spoil(bare)
    assert said in bare.refused()
    assert not bare.key.exists()


def test_the_key_may_be_given_itself(bare: Host) -> None:
    bare.variables |= bare.own("192.0.2.10")
    key = Path(bare.variables["_common_own_key_file"]).read_text()
    bare.variables["_common_own_key"] = key
    assert "go together" in bare.refused()
    bare.variables["_common_own_key_file"] = ""
    said = bare.deploy("-vvv", "--diff", changed=2)
    assert bare.key.read_text() == key
    assert key.splitlines()[1] not in said
    bare.deploy(changed=0)


def test_plain_http_leaves_no_certificate(host: Host) -> None:
    host.variables["nrs_api_plain"] = True
    host.deploy(changed=1)
    assert not host.key.exists() and not host.certificate.exists()
