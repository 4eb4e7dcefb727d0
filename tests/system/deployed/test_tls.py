"""TLS as the roles deploy it: who trusts whom, a change of the CA, and the way from plain HTTP."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CA = "/etc/network-routing-system/ca.pem"
SERVICES = {
    "load_balancer": ("lb", "[fd88::11]:8080"),
    "network_controller": ("controller", "[fd88::12]:8090"),
}
FROM = "endpoint_1"
OF_SERVICES = re.compile(r"fd88::1[12]\b")
NO_TLS, DISTRUSTED = 35, 60
"""What curl says of no TLS at the other end, and of a certificate of nobody whom it trusts."""


def _site(lab: Any, *words: str) -> str:
    ended = lab.ansible("ansible-playbook", str(lab.checkout / "playbooks" / "site.yml"), *words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return str(ended.stdout)


def _health(lab: Any, scheme: str, where: str, *words: str) -> tuple[int, int]:
    """Status, and curl's own, of a device's question for the health of a service."""
    words = ("-s", "-g", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}", *words)
    ended = lab.run("exec", FROM, "curl", *words, f"{scheme}://{where}/health", check=False)
    return int(ended.stdout[-3:]), ended.returncode


def _served(lab: Any, scheme: str) -> list[tuple[int, int]]:
    return [_health(lab, scheme, where, "--cacert", CA) for _, where in SERVICES.values()]


def _serials(lab: Any) -> list[str]:
    """Of the certificates that the services show."""
    show = "openssl s_client -connect '{}' </dev/null 2>/dev/null | openssl x509 -noout -serial"
    return [lab.exec(FROM, "sh", "-c", show.format(where)) for _, where in SERVICES.values()]


def _started(lab: Any) -> dict[str, str]:
    asked = ("systemctl", "show", "-p", "ExecMainStartTimestampMonotonic")
    return {host: lab.exec(host, *asked, unit) for host, unit in lab.UNITS}


def _up_since(lab: Any) -> dict[tuple[str, str], float]:
    return {
        (endpoint, router): tunnel["since"]
        for endpoint in lab.ENDPOINTS
        for router, tunnel in lab.tunnels(endpoint).items()
        if tunnel["up"]
    }


def _complaints(lab: Any, began: float) -> list[str]:
    """What devices have said of the services since then, and services of credentials."""
    found = []
    for host, unit in lab.UNITS:
        words = ("-u", unit, "--since", f"@{began:.0f}", "-o", "cat", "--no-pager", "-q")
        for line in lab.exec(host, "journalctl", *words).splitlines():
            if unit in SERVICES and "was refused" in line:
                found.append(f"{host}: {line}")
            if unit not in SERVICES and OF_SERVICES.search(line):
                found.append(f"{host}: {line}")
    return found


def test_everybody_trusts_the_services_by_the_deployments_ca(lab: Any) -> None:
    assert _served(lab, "https") == [(200, 0)] * 2
    for unit, (host, where) in SERVICES.items():
        assert _health(lab, "https", where)[1] == DISTRUSTED
        assert _health(lab, "http", where) == (400, 0)
        older = ("--cacert", CA, "--tls-max", "1.2")
        assert _health(lab, "https", where, *older)[1] == NO_TLS
        key = f"/etc/network-routing-system/certificate_{unit}.key"
        assert lab.exec(host, "stat", "-c", "%U %a", key) == "nrs 600\n"
        ways = ("localhost", "127.0.0.1", "[::1]")
        for name in ways:
            port = where.rpartition(":")[2]
            asked = (
                "curl",
                "-s",
                "-g",
                "-m",
                "10",
                "--cacert",
                CA,
                f"https://{name}:{port}/health",
            )
            assert '"certificate_warning":null' in lab.exec(host, *asked)
    for host, _ in lab.UNITS:
        held = lab.exec(host, "sh", "-c", "ls /etc/network-routing-system/*.key || true")
        assert len(held.splitlines()) == (host in {"lb", "controller"})


def test_a_ca_is_changed_and_nobody_fails_to_trust_the_next(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_DISPLAY_OK_HOSTS", "true")
    root = Path(os.environ.get("NRS_LAB_ROOT") or "/var/lib/nrs-lab")
    key = root / "labs" / lab.name / "secrets" / "ca_key"
    serials, started, since, began = _serials(lab), _started(lab), _up_since(lab), time.time()
    key.rename(key.with_name("previous_ca_key"))
    said = _site(lab)
    assert key.exists()
    assert said.count("gets a certificate: it is of another CA") == len(SERVICES)
    for before, after in zip(serials, _serials(lab), strict=True):
        assert before != after
    assert _served(lab, "https") == [(200, 0)] * 2
    assert (_started(lab), _up_since(lab)) == (started, since)
    assert _complaints(lab, began) == []


@pytest.fixture
def plain(lab: Any) -> Iterator[list[str]]:
    """As a deployment without TLS left them.

    A test that has changed all of them over says so in the list; after another one that is done.
    """
    _site(lab, "-e", "nrs_api_plain=true")
    over: list[str] = []
    yield over
    if not over:
        _site(lab, "-e", "nrs_forget_plain=true")


@pytest.mark.timeout(900)
def test_hosts_change_over_from_plain_http(
    lab: Any, plain: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_DISPLAY_OK_HOSTS", "true")
    assert _served(lab, "http") == [(200, 0)] * 2
    assert [status for _, status in _served(lab, "https")] == [NO_TLS] * 2
    started, since, began = _started(lab), _up_since(lab), time.time() + 1
    # A device alone is not cut off from services that have yet to change.
    site = str(lab.checkout / "playbooks" / "site.yml")
    ended = lab.ansible("ansible-playbook", site, "--limit", FROM)
    assert ended.returncode != 0
    assert f"{FROM} would reach nobody: lb, controller" in ended.stdout
    # The services first: they speak both.
    said = _site(lab, "--limit", "lb,controller")
    assert "lb still speaks plain HTTP too, for router_1" in said
    assert _served(lab, "http") == _served(lab, "https") == [(200, 0)] * 2
    # All of them: at its end nobody speaks plain HTTP.
    _site(lab)
    assert _served(lab, "https") == [(200, 0)] * 2
    assert _served(lab, "http") == [(400, 0)] * 2
    assert (_started(lab), _up_since(lab)) == (started, since)
    assert _complaints(lab, began) == []
    plain.append("all")
