from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, request

from nrs.api import server, service
from nrs.api.messages import DeviceStatus
from tests.api.callers import shared
from tests.serving import TIMEOUT_S, exchange, free_port, serving

GOOD = b'{"device_id": "router_1", "timestamp": 5}'


@pytest.fixture
def app() -> Flask:
    app = service.create_app("example", shared())

    @app.get("/health")
    def health() -> dict[str, Any]:
        return {"remote": request.remote_addr}

    @app.post("/status")
    def status() -> dict[str, Any]:
        return {"device_id": service.body(DeviceStatus).device_id}

    return app


@pytest.fixture
def port(app: Flask) -> Iterator[int]:
    with serving(app) as port:
        yield port


def post(body: bytes, *headers: bytes) -> bytes:
    lines = [
        b"POST /status HTTP/1.1",
        b"Host: [::1]",
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(*chunks: bytes) -> bytes:
    head = (
        b"POST /status HTTP/1.1\r\nHost: [::1]\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    return head + b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"


def parsed(answer: bytes) -> tuple[int, dict[str, str], Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, json.loads(body) if body else None


def test_an_answer_closes_the_connection(port: int) -> None:
    status, headers, body = parsed(exchange(port, post(GOOD)))
    assert (status, body) == (200, {"device_id": "router_1"})
    assert headers["connection"] == "close"
    assert "server" not in headers


def test_a_chunked_body_is_read_whole(port: int) -> None:
    assert parsed(exchange(port, chunked(GOOD[:7], GOOD[7:])))[0] == 200


def test_head_has_no_body(port: int) -> None:
    status, headers, body = parsed(exchange(port, b"HEAD /health HTTP/1.1\r\nHost: [::1]\r\n\r\n"))
    assert (status, body) == (200, None)
    assert int(headers["content-length"]) > 0


def test_http_1_0(port: int) -> None:
    assert parsed(exchange(port, b"GET /health HTTP/1.0\r\n\r\n"))[0] == 200


@pytest.mark.parametrize("size", [65537, 131072, 131073, 1_000_000, 5_000_000])
def test_a_large_body_answers_413_to_a_client_that_sends_it_all(port: int, size: int) -> None:
    for raw in (post(GOOD.ljust(size)), chunked(*[b" " * 10_000] * (size // 10_000 + 1))):
        status, headers, body = parsed(exchange(port, raw))
        assert status == 413
        assert headers["content-type"] == "application/json"
        assert body == {"error": "the body is larger than 65536 bytes", "field": None}


@pytest.mark.parametrize("raw", [post(GOOD.ljust(65536)), chunked(GOOD.ljust(60_000), b" " * 5536)])
def test_64_kb_is_not_too_large(port: int, raw: bytes) -> None:
    assert parsed(exchange(port, raw))[0] == 200


def test_who_expects_to_continue_is_told_413_at_once(port: int) -> None:
    head = (
        b"POST /status HTTP/1.1\r\nHost: [::1]\r\n"
        b"Content-Length: 70000\r\nExpect: 100-continue\r\n\r\n"
    )
    assert parsed(exchange(port, head))[0] == 413


def test_who_expects_to_continue_may(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as sock:
        sock.sendall(post(b"", b"Expect: 100-continue").replace(b": 0", b": %d" % len(GOOD)))
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(GOOD)
        assert sock.recv(1000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"POST /status HTTP/1.1\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST /status HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST /status HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"GET /health HTTP/1.1\r\nA: ".ljust(32 * 1024, b"b"), 431),
    ],
)
def test_what_the_server_refuses_is_json_too(port: int, raw: bytes, status: int) -> None:
    answered, headers, body = parsed(exchange(port, raw))
    assert answered == status
    assert headers["content-type"] == "application/json"
    assert body["error"]
    assert body["field"] is None


def test_the_remote_address_cannot_be_forged(port: int) -> None:
    raw = b"GET /health HTTP/1.1\r\nX-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\n\r\n"
    assert parsed(exchange(port, raw))[2] == {"remote": "127.0.0.1"}


def test_the_ipv6_wildcard_serves_ipv4_as_loopback(app: Flask) -> None:
    with serving(app, "::") as port:
        status, _, body = parsed(exchange(port, post(GOOD)))
    assert (status, body) == (200, {"device_id": "router_1"})


def test_silent_connections_do_not_stay(monkeypatch: pytest.MonkeyPatch, app: Flask) -> None:
    monkeypatch.setattr(server, "_REQUEST_DEADLINE_S", 0)
    monkeypatch.setattr(server, "_LOOP_S", 0.05)
    with serving(app) as port:
        assert exchange(port, b"GET /health") == b""


def test_idle_connections_keep_nobody_out(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(server, "_REQUEST_DEADLINE_S", 10 * TIMEOUT_S)
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), TIMEOUT_S))
        assert parsed(exchange(port, post(GOOD)))[0] == 200


def test_stop_answers_what_has_come_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_DRAIN_S", TIMEOUT_S)
    arrived, released = threading.Semaphore(0), threading.Event()
    app = service.create_app("slow", shared())

    @app.get("/slow")
    def slow() -> dict[str, bool]:
        arrived.release()
        assert released.wait(TIMEOUT_S)
        return {"done": True}

    raw = b"GET /slow HTTP/1.1\r\nHost: [::1]\r\n\r\n"
    answers: list[bytes] = []
    listener = server.listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    http = server.HttpService(app, listener)
    serving_thread = threading.Thread(target=http.run)
    clients = [
        threading.Thread(target=lambda: answers.append(exchange(port, raw)))
        for _ in range(server._THREADS + 3)
    ]
    for thread in (serving_thread, *clients):
        thread.start()
    assert all(arrived.acquire(timeout=TIMEOUT_S) for _ in range(server._THREADS))
    deadline = time.monotonic() + TIMEOUT_S
    while len(http._dispatcher.queue) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    http.stop()
    threading.Timer(0.3, released.set).start()
    for thread in (serving_thread, *clients):
        thread.join(TIMEOUT_S)
    assert [parsed(answer)[2] for answer in answers] == [{"done": True}] * len(clients)
    with pytest.raises(ConnectionRefusedError):
        exchange(port, raw)


def test_a_port_in_use_is_an_error() -> None:
    port = free_port()
    with server.listen("127.0.0.1", port), pytest.raises(OSError, match="in use"):
        server.listen("127.0.0.1", port)
