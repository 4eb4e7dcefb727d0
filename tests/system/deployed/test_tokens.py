"""What the token of one host opens on the real services, and how hosts come by their tokens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

BALANCER, CONTROLLER = "https://[fd88::11]:8080", "https://[fd88::12]:8090"
ETC = "/etc/network-routing-system"
STOLEN = "endpoint_1"
SHARED = "s" * 43
SERVICES = ("lb", "controller")


def _ask(
    lab: Any, url: str, token: str, method: str = "GET", body: dict[str, Any] | None = None
) -> int:
    """The status of a request that the stolen endpoint makes."""
    words = ["curl", "-s", "-g", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}", "-X", method]
    words += ["--cacert", f"{ETC}/ca.pem", "-H", f"Authorization: Bearer {token}"]
    if body is not None:
        words += ["-H", "Content-Type: application/json", "--data-binary", json.dumps(body)]
    return int(lab.exec(STOLEN, *words, url))


def _held(lab: Any, host: str, unit: str) -> list[str]:
    lines = lab.exec(host, "cat", f"{ETC}/api_tokens_{unit}").splitlines()
    return [line for line in lines if not line.startswith("#")]


def _site(lab: Any, *words: str) -> Any:
    return lab.ansible("ansible-playbook", str(lab.checkout / "playbooks" / "site.yml"), *words)


def test_a_stolen_endpoint_opens_only_itself(lab: Any) -> None:
    of_balancer, of_controller = _held(lab, STOLEN, "network_access_endpoint")
    own = f"{BALANCER}/decision/{STOLEN}?candidates=router_1,router_2"
    assert _ask(lab, own, of_balancer) == 200
    assert _ask(lab, f"{CONTROLLER}/device/{STOLEN}", of_controller) == 200
    # A token is for the one service that it names.
    assert _ask(lab, own, of_controller) == 401
    assert _ask(lab, f"{CONTROLLER}/device/{STOLEN}", of_balancer) == 401
    metrics = {"server_id": "router_1", "server_name": "router_1", "timestamp": time.time()}
    metrics |= {"cpu_percent": 1.0, "memory_percent": 1.0, "bandwidth_mbps": 1.0}
    metrics |= {"active_tunnels": 1, "total_rx_packets": 1, "total_tx_packets": 1}
    push = {"config": {"load_balancer": {"poll_interval": 3}}}
    refused = {
        (method, url): _ask(lab, url, token, method, body)
        for method, url, token, body in (
            ("POST", f"{CONTROLLER}/push_config/{STOLEN}", of_controller, push),
            ("POST", f"{CONTROLLER}/push_config/endpoint_2", of_controller, push),
            ("GET", f"{CONTROLLER}/devices", of_controller, None),
            ("GET", f"{CONTROLLER}/topology", of_controller, None),
            ("GET", f"{CONTROLLER}/device/endpoint_2", of_controller, None),
            ("GET", f"{BALANCER}/status", of_balancer, None),
            ("GET", f"{BALANCER}/decisions", of_balancer, None),
            ("GET", f"{BALANCER}/decision/endpoint_2?candidates=router_2", of_balancer, None),
            ("POST", f"{BALANCER}/metrics", of_balancer, metrics),
            ("PUT", f"{BALANCER}/algorithm", of_balancer, {"anti_flap_threshold": 0.1}),
        )
    }
    assert set(refused.values()) == {403}, refused


def test_each_host_has_a_token_for_each_service_and_no_two_the_same(lab: Any) -> None:
    tokens = [token for host, unit in lab.UNITS for token in _held(lab, host, unit)]
    devices = len(lab.ROUTERS) + len(lab.ENDPOINTS)
    assert len(tokens) == len(set(tokens)) == devices * 2 + 2


@pytest.fixture
def shared(lab: Any) -> Iterator[list[str]]:
    """As an earlier deployment left them: every host has the same secret.

    A test that has changed all of them over says so in the list; after another one that is done.
    """
    write = f"umask 077; echo {SHARED} >{ETC}/api_token; chown nrs: {ETC}/api_token"
    for host, _unit in lab.UNITS:
        lab.exec(host, "sh", "-c", write)
    over: list[str] = []
    yield over
    if not over:
        ended = _site(lab, "-e", "nrs_forget_shared_token=true")
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_hosts_change_over_from_a_token_that_all_share(
    lab: Any, shared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_DISPLAY_OK_HOSTS", "true")
    status, own = f"{BALANCER}/status", f"{CONTROLLER}/device/{STOLEN}"
    signed = _held(lab, STOLEN, "network_access_endpoint")[1]
    # The services first: they take what devices have had, and what they are given.
    ended = _site(lab, "--limit", ",".join(SERVICES))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "The services still take the shared token, for router_1" in ended.stdout
    assert _ask(lab, status, SHARED) == 200
    assert _ask(lab, own, signed) == 200
    # A device alone is not cut off from a service that has yet to change.
    lab.exec("lb", "mv", f"{ETC}/signers", f"{ETC}/signers.away")
    ended = _site(lab, "--limit", STOLEN)
    lab.exec("lb", "mv", f"{ETC}/signers.away", f"{ETC}/signers")
    assert ended.returncode != 0
    assert "endpoint_1 would be locked out: lb still" in ended.stdout
    # All of them: at its end nobody has it, and nobody takes it.
    ended = _site(lab)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for host, _unit in lab.UNITS:
        assert lab.run("exec", host, "test", "-e", f"{ETC}/api_token", check=False).returncode == 1
    assert _ask(lab, status, SHARED) == 401
    assert _ask(lab, own, signed) == 200
    shared.append("all")
