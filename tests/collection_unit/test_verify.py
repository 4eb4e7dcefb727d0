"""verify.yml against a load balancer that is asked for every endpoint of an inventory."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ENDPOINTS = ("endpoint_1", "endpoint_2", "endpoint_3")
STATUS = {"servers": [{"server_id": "router_1", "status": "active"}]}
DECISION = {"optimal_router_id": "router_1"}
ENDING = "the certificate of lb ends in 3 days, on 2030-01-02 03:04 UTC"
HEALTH = {"status": "ok", "certificate_warning": ENDING}
VERIFY = "nrs.network_routing.verify"


class Balancer(ThreadingHTTPServer):
    """Has one router, decides for it, and notes the tokens that it is shown."""

    daemon_threads = True

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.answers: dict[str, Any] = {"/status": STATUS, "/health": HEALTH}
        super().__init__(("127.0.0.1", 0), _Answers)


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer, whatever the token is worth."""
        assert isinstance(self.server, Balancer)
        if self.path != "/health":
            self.server.shown.append(self.headers["Authorization"])
        answer = self.server.answers.get(self.path, DECISION)
        body = json.dumps(answer).encode()
        self.send_response(200 if answer else 503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def balancer() -> Iterator[Balancer]:
    """One that answers."""
    with Balancer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def words(place: Path, cache: Path, port: int, *, controller: Any = None) -> list[str]:
    """Verify with an inventory of this machine: services, a router and endpoints."""
    uses = {"network_access_endpoint_routers": [{"router_id": "router_1"}]}
    here = {
        "ansible_connection": "local",
        "ansible_become": False,
        "ansible_python_interpreter": sys.executable,
    }
    groups: dict[str, dict[str, Any]] = {
        "all": {"vars": here},
        "load_balancers": {"hosts": {"lb": {"nrs_management_address": "127.0.0.1"}}},
        "routing_servers": {"hosts": {"router_1": {}}},
        "network_access_endpoints": {"hosts": dict.fromkeys(ENDPOINTS, uses)},
    }
    if controller is not None:
        groups["network_controllers"] = {"hosts": {"controller": controller}}
    (place / "hosts.json").write_text(json.dumps(groups))
    extra = {
        "load_balancer_bind_port": port,
        "network_controller_bind_port": port,
        "nrs_api_plain": True,
        "nrs_build_directory": str(cache),
        "verify_ping_targets": [],
        "verify_retries": 1,
    }
    return ["-i", str(place / "hosts.json"), "-e", json.dumps(extra), VERIFY]


def sign(tools: Any, place: Path) -> None:
    """Have a key that signs tokens."""
    (place / ".secrets").mkdir()
    key = place / ".secrets" / "signing_key"
    tools.run("openssl", "genpkey", "-algorithm", "ed25519", "-out", key)
    key.chmod(0o600)


def test_a_service_is_shown_one_token_for_all_that_it_is_asked(
    tools: Any, installed: Path, cache: Path, tmp_path: Path, balancer: Balancer
) -> None:
    sign(tools, tmp_path)
    said = tools.playbook(installed, "-vvv", *words(tmp_path, cache, balancer.server_port))
    assert "1 routing servers and 3 endpoints are as the inventory says" in said
    assert f'"lb: {ENDING}"' in said
    assert len(balancer.shown) == 1 + len(ENDPOINTS)
    (token,) = {shown.removeprefix("Bearer ") for shown in balancer.shown}
    assert token.count(".") == 2 and token.split(".")[2] not in said
    (line,) = (tmp_path / ".secrets" / "issued_tokens").read_text().splitlines()
    issued = json.loads(line)["issued"]
    assert (issued["role"], issued["sub"]) == ("monitor", "verify")


def test_why_there_is_no_token_is_said(
    tools: Any, installed: Path, cache: Path, tmp_path: Path
) -> None:
    said = tools.refusals(installed, *words(tmp_path, cache, 1))
    assert f"{tmp_path}/.secrets/signing_key: no such file" in said["lb"]


@pytest.mark.parametrize(
    ("path", "answer", "difference"),
    [
        ("/status", {"servers": [], "marker": "what is not asked about"}, "router_1: unknown"),
        ("/status", {}, "lb: "),
        ("/topology", {"devices": [], "tunnels": [], "marker": ""}, "endpoint_1 -> router_1"),
        ("/topology", {}, "controller: "),
    ],
)
def test_it_ends_with_the_differences_alone(
    tools: Any,
    installed: Path,
    cache: Path,
    tmp_path: Path,
    balancer: Balancer,
    path: str,
    answer: dict[str, Any],
    difference: str,
) -> None:
    sign(tools, tmp_path)
    balancer.answers[path] = answer
    env = {"ANSIBLE_COLLECTIONS_PATH": str(installed)}
    controller = {"nrs_management_address": "127.0.0.1"} if path == "/topology" else None
    given = words(tmp_path, cache, balancer.server_port, controller=controller)
    ended = tools.end("ansible-playbook", *given, env=env)
    assert ended.returncode != 0 and ended.stdout.count("fatal:") == 1, ended.stdout
    said = ended.stdout.partition("fatal:")[2]
    assert difference in said, said
    for told_besides in ("Unknown error", "marker", "...ignoring"):
        assert told_besides not in ended.stdout


def test_a_dead_controller_keeps_nobody_else_from_being_looked_at(
    tools: Any, installed: Path, cache: Path, tmp_path: Path, balancer: Balancer
) -> None:
    sign(tools, tmp_path)
    balancer.answers["/status"] = {"servers": []}
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        dead = {"ansible_connection": "ssh", "ansible_port": reserved.getsockname()[1]}
        given = words(
            tmp_path,
            cache,
            balancer.server_port,
            controller=dead | {"ansible_host": "127.0.0.1"},
        )
        env = {"ANSIBLE_COLLECTIONS_PATH": str(installed)}
        ended = tools.end("ansible-playbook", *given, env=env)
    assert ended.returncode != 0
    said = ended.stdout.rpartition("TASK ")[2]
    assert "router_1: unknown at load balancer lb" in said, ended.stdout
    assert "controller: not looked at" in said
