"""Who proves nothing holds up nobody who asks a service, by TLS, in a namespace of its own."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from testbed import process
from testbed.namespace import Namespace
from testbed.wait import wait_until

from nrs.api import tls
from tests.api.certified import Authority
from tests.serving import TIMEOUT_S, received
from tests.signing import Signing

PORT = 8080
ASKED = 150
MOST_S = 2.0
"""Slack for a busy machine; the figure itself is a benchmark's business."""
URL = f"https://127.0.0.1:{PORT}"
CHECKOUT = Path(__file__).resolve().parents[5]

pytestmark = pytest.mark.root


class Service:
    """A load balancer as an operator runs it."""

    def __init__(self, namespace: Namespace, context: ssl.SSLContext, token: str) -> None:
        self._namespace = namespace
        self._context = context
        self.question = (
            f"GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
        ).encode()

    def connect(self, source: str) -> ssl.SSLSocket:
        sock = self._namespace.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.settimeout(TIMEOUT_S)
            sock.bind((source, 0))
            sock.connect(("127.0.0.1", PORT))
            return self._context.wrap_socket(sock, server_hostname="127.0.0.1")
        except OSError:
            sock.close()
            raise

    def ask_anew(self, source: str) -> None:
        with self.connect(source) as sock:
            sock.sendall(self.question)
            assert received(sock).startswith(b"HTTP/1.1 200 ")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    namespace = Namespace(f"nrsapi{os.getpid()}")
    namespace.add({"net/core/somaxconn": 4096})
    authority = Authority(tmp_path)
    certificate, key = authority.certify("service", "127.0.0.1")
    signing = Signing(tmp_path)
    config = {
        "server": {"bind_address": "127.0.0.1", "bind_port": PORT},
        "business_server": {"ip": "198.51.100.10"},
        "api": {**signing.service(URL), "certificate_file": str(certificate), "key_file": str(key)},
    }
    path = tmp_path / "load_balancer.yaml"
    path.touch(mode=0o600)
    path.write_text(json.dumps(config), encoding="ascii")
    context = tls.client()
    context.load_verify_locations(authority.file)
    running = Service(namespace, context, signing.token(URL))
    child = process.start(
        "load balancer",
        namespace.enter(sys.executable, "-m", "nrs", "load-balancer", "--config", path),
        log=tmp_path / "log",
        env={
            **os.environ,
            "NRS_RUNTIME_DIRECTORY": str(tmp_path),
            "STATE_DIRECTORY": str(tmp_path),
        },
    )

    def listens() -> bool:
        try:
            running.ask_anew("127.0.0.1")
        except OSError:
            return False
        return True

    try:
        child.wait_until(listens, TIMEOUT_S, "it serves")
        yield running
        child.check()
    finally:
        child.end()
        namespace.delete()


@contextmanager
def strangers(service: Service, silent: int, slow: int, sources: int) -> Iterator[None]:
    words = [sys.executable, "-m", "testbed.strangers", "127.0.0.1", PORT, silent, slow, sources]
    child = process.start(
        "strangers",
        service._namespace.enter(*words, "tls"),
        cwd=CHECKOUT,
        conversation=True,
    )
    try:
        assert child.line(TIMEOUT_S) == "there\n"
        yield
        child.check()
    finally:
        child.end()


def p99(ask: Callable[[], None]) -> float:
    times = []
    for _ in range(ASKED):
        began = time.monotonic()
        ask()
        times.append(time.monotonic() - began)
    return statistics.quantiles(times, n=100)[98]


@pytest.mark.parametrize(("silent", "slow", "sources"), [(3000, 600, 1), (3000, 0, 50)])
def test_honest_clients_are_answered(
    service: Service, silent: int, slow: int, sources: int
) -> None:
    def ask_again() -> None:
        kept.sendall(service.question)
        assert received(kept).startswith(b"HTTP/1.1 200 ")

    with service.connect("127.9.0.1") as kept:
        ask_again()
        with strangers(service, silent, slow, sources):
            figures = {
                "a connection for each": p99(lambda: service.ask_anew("127.0.0.9")),
                "behind the same NAT, kept": p99(ask_again),
            }
    print(figures)
    assert max(figures.values()) < MOST_S, figures


def test_a_refused_neighbour_slows_no_good_one(service: Service) -> None:
    bad = re.sub(rb"Bearer \S+", b"Bearer " + b"x" * 32, service.question)
    with service.connect("127.9.0.1") as neighbour:
        for _ in range(20):
            neighbour.sendall(bad)
            assert received(neighbour).startswith(b"HTTP/1.1 401 ")
        neighbour.sendall(bad)
        assert p99(lambda: service.ask_anew("127.9.0.1")) < MOST_S
        wait_until(lambda: received(neighbour).startswith(b"HTTP/1.1 401 "), TIMEOUT_S, "it comes")
