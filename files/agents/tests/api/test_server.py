from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, request
from testbed.ports import free_port
from testbed.wait import wait_until

from nrs.api import server, service
from nrs.api.auth import Trust
from nrs.api.gate import Limits
from nrs.api.listener import listen
from nrs.api.messages import DeviceStatus
from tests.serving import TIMEOUT_S, exchange, received, serving, serving_by

GOOD = b'{"device_id": "router_1", "timestamp": 5}'


@pytest.fixture
def app() -> Flask:
    app = service.create_app("example", Trust())

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


def test_a_connection_is_kept_for_the_next_request(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as sock:
        for _ in range(3):
            sock.sendall(post(GOOD))
            status, headers, body = parsed(received(sock))
            assert (status, body) == (200, {"device_id": "router_1"})
            assert "connection" not in headers
            assert "server" not in headers


def test_who_wants_it_closed_sees_it_closed(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as sock:
        sock.sendall(post(GOOD, b"Connection: close"))
        assert parsed(received(sock))[1]["connection"] == "close"
        assert sock.recv(1) == b""


def test_requests_that_come_together_are_answered_in_turn(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as sock:
        sock.sendall(
            post(GOOD)
            + b"GET /nowhere HTTP/1.1\r\nHost: [::1]\r\n\r\n"
            + post(GOOD, b"Connection: close")
        )
        answers = b""
        while chunk := sock.recv(65536):
            answers += chunk
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200", b"404", b"200"]


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


@pytest.mark.parametrize("length", [b"", b"Content-Length: 0\r\n"])
def test_who_expects_to_continue_without_a_body_does_not_wait(port: int, length: bytes) -> None:
    head = b"GET /health HTTP/1.1\r\nHost: [::1]\r\n%bExpect: 100-continue\r\n\r\n" % length
    assert parsed(exchange(port, head))[0] == 200


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
        (b"POST /status HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST /status HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nA: b\n\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nA: ".ljust(32 * 1024, b"b"), 431),
    ],
)
def test_what_the_server_refuses_is_json_too(port: int, raw: bytes, status: int) -> None:
    answered, headers, body = parsed(exchange(port, raw))
    assert answered == status
    assert headers["content-type"] == "application/json"
    assert body["error"]
    assert body["field"] is None


def test_what_is_no_upgrade_is_answered_as_it_is(port: int) -> None:
    raw = b"GET /health HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    status, headers, _ = parsed(exchange(port, raw))
    assert (status, headers["connection"]) == (200, "close")


def test_a_header_with_an_underscore_does_not_pass_for_another(app: Flask) -> None:
    seen: list[str | None] = []
    app.before_request(lambda: seen.append(request.headers.get("X-A")))
    with serving(app) as port:
        exchange(port, b"GET /health HTTP/1.1\r\nX_A: 1\r\n\r\n")
        exchange(port, b"GET /health HTTP/1.1\r\nX-A: 1\r\nX-A: 2\r\n\r\n")
    assert seen == [None, "1,2"]


@pytest.mark.parametrize(
    ("target", "seen"),
    [
        (b"/health?a=b", ("/health", "a=b")),
        (b"http://a:80/health?a=b", ("/health", "a=b")),
        (b"/he%61lth", ("/health", "")),
        (b"/%ff", ("/\xff", "")),
    ],
)
def test_what_is_asked_for(target: bytes, seen: tuple[str, str]) -> None:
    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [])
        return [json.dumps([environ["PATH_INFO"], environ["QUERY_STRING"]]).encode()]

    with serving_by(app, listen("127.0.0.1", 0)) as (_, port):
        answer = parsed(exchange(port, b"GET %b HTTP/1.1\r\nHost: [::1]\r\n\r\n" % target))
    assert answer[2] == list(seen)


def test_the_remote_address_cannot_be_forged(port: int) -> None:
    raw = b"GET /health HTTP/1.1\r\nX-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\n\r\n"
    assert parsed(exchange(port, raw))[2] == {"remote": "127.0.0.1"}


def test_the_ipv6_wildcard_serves_ipv4_as_loopback(app: Flask) -> None:
    with serving(app, "::") as port:
        status, _, body = parsed(exchange(port, post(GOOD)))
    assert (status, body) == (200, {"device_id": "router_1"})


@pytest.mark.parametrize("begin", [b"", b"GET /health", post(GOOD)[:-1], chunked(b"a")[:-6]])
def test_a_request_has_so_long_and_no_longer(app: Flask, begin: bytes) -> None:
    with serving(app, limits=Limits(request_s=0.5)) as port:
        began = time.monotonic()
        assert exchange(port, begin) == b""
        assert time.monotonic() - began >= 0.5


def test_a_byte_now_and_then_does_not_prolong_it(app: Flask) -> None:
    with (
        serving(app, limits=Limits(request_s=1.0)) as port,
        socket.create_connection(("127.0.0.1", port), 0.05) as sock,
    ):
        deadline = time.monotonic() + TIMEOUT_S
        for byte in b"GET /health HTTP/1.1\r\nA: ".ljust(10_000, b"a"):
            assert time.monotonic() < deadline
            try:
                sock.sendall(bytes([byte]))
                if sock.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        else:
            pytest.fail("it went on")


def test_the_time_of_a_later_request_begins_with_it(app: Flask) -> None:
    limits = Limits(request_s=1.0, stranger_idle_s=TIMEOUT_S)
    with (
        serving(app, limits=limits) as port,
        socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as sock,
    ):
        sock.sendall(post(GOOD))
        assert parsed(received(sock))[0] == 200
        time.sleep(1.5)
        sock.sendall(post(GOOD))
        assert parsed(received(sock))[0] == 200
        sock.sendall(b"GET")
        assert received(sock) == b""


def test_what_follows_a_good_request_and_is_none_holds_no_connection(app: Flask) -> None:
    limits = Limits(sending_s=0.5, stranger_idle_s=60.0, request_s=60.0)
    with (
        serving_by(app, listen("127.0.0.1", 0), limits=limits) as (service, port),
        socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as sock,
    ):
        sock.sendall(b"GET /health HTTP/1.1\r\nHost: [::1]\r\n\r\nNONSENSE\r\n\r\n")
        wait_until(lambda: bool(service._connections), TIMEOUT_S, "it is there")
        wait_until(lambda: not service._connections, TIMEOUT_S, "it is closed")


def test_trailers_are_bounded_and_are_no_headers(app: Flask) -> None:
    head = b"POST /status HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\n"
    with serving(app) as port:
        raw = head + b"\r\n0\r\nContent-Type: application/json\r\n\r\n"
        assert parsed(exchange(port, raw))[0] == 400
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as sock:
            sock.sendall(head + b"\r\n0\r\nA: ")
            with contextlib.suppress(OSError):
                for _ in range(600):
                    sock.sendall(b"a" * 1024)
            assert received(sock).startswith(b"HTTP/1.1 413 ")


def test_one_request_of_a_connection_at_a_time() -> None:
    seen: list[str] = []
    arrived, released = threading.Event(), threading.Event()

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        seen.append(environ["PATH_INFO"])
        if environ["PATH_INFO"] == "/slow":
            arrived.set()
            assert released.wait(TIMEOUT_S)
        start("200 OK", [("Content-Length", "0")])
        return []

    def get(path: str, *more: str) -> bytes:
        return "\r\n".join([f"GET {path} HTTP/1.1", "Host: [::1]", *more, "", ""]).encode()

    def brief(line: str) -> bool:
        return line == "GET /brief"

    with (
        serving_by(app, listen("127.0.0.1", 0), brief=brief) as (_, port),
        socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as sock,
    ):
        sock.sendall(get("/brief") + get("/slow") + get("/1") + get("/2"))
        assert arrived.wait(TIMEOUT_S)
        sock.sendall(get("/3", "Connection: close"))
        time.sleep(0.2)  # nothing else may begin meanwhile
        assert seen == ["/brief", "/slow"]
        released.set()
        answers = b""
        while chunk := sock.recv(65536):
            answers += chunk
    assert answers.count(b"HTTP/1.1 200 ") == 5
    assert seen == ["/brief", "/slow", "/1", "/2", "/3"]


def test_of_one_source_a_few_are_heard_in_a_turn() -> None:
    order: list[str] = []

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        order.append(environ["REMOTE_ADDR"])
        start("200 OK", [("Content-Length", "0")])
        return []

    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    http = server.HttpService(app, listener, brief=lambda line: True)
    with contextlib.ExitStack() as stack:
        for host in [*["127.0.0.2"] * 12, "127.0.0.3"]:
            sock = socket.create_connection(("127.0.0.1", port), TIMEOUT_S, (host, 0))
            stack.enter_context(sock).sendall(b"GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n")
        http._accept()
        http._turn(TIMEOUT_S)
        assert sorted(order) == ["127.0.0.2"] * server._SOURCE_AT_ONCE + ["127.0.0.3"]
        http.stop()
        http.run()


def test_an_idle_connection_ends(app: Flask) -> None:
    with (
        serving(app, limits=Limits(stranger_idle_s=0.3)) as port,
        socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as sock,
    ):
        sock.sendall(post(GOOD))
        assert parsed(received(sock))[0] == 200
        assert sock.recv(1) == b""


def test_a_client_that_does_not_read_is_left(app: Flask) -> None:
    app.add_url_rule("/large", view_func=lambda: b"a" * 50_000_000)
    with (
        serving_by(app, listen("127.0.0.1", 0), limits=Limits(sending_s=0.5)) as (service, port),
        socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as sock,
    ):
        sock.sendall(b"GET /large HTTP/1.1\r\nHost: [::1]\r\n\r\n")
        wait_until(lambda: bool(service._connections), TIMEOUT_S, "it is there")
        wait_until(lambda: not service._connections, TIMEOUT_S, "it is closed")


def test_a_client_that_reads_a_little_now_and_then_is_left(app: Flask) -> None:
    app.add_url_rule("/large", view_func=lambda: b"a" * 50_000_000)
    limits = Limits(sending_s=0.5, sending_bytes_s=100_000_000)
    with (
        serving_by(app, listen("127.0.0.1", 0), limits=limits) as (service, port),
        socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as sock,
    ):
        sock.sendall(b"GET /large HTTP/1.1\r\nHost: [::1]\r\n\r\n")
        taken, until = len(sock.recv(1)), time.monotonic() + TIMEOUT_S
        while service._connections and time.monotonic() < until:
            taken += len(sock.recv(100_000))
            time.sleep(0.05)
        assert not service._connections
        assert taken < 50_000_000


def test_a_large_answer_arrives_whole(app: Flask) -> None:
    app.add_url_rule("/large", view_func=lambda: b"a" * 20_000_000)
    with serving(app) as port:
        answer = exchange(port, b"GET /large HTTP/1.1\r\nHost: [::1]\r\n\r\n")
    assert answer.partition(b"\r\n\r\n")[2] == b"a" * 20_000_000


def test_views_that_block_hold_up_nobody_else() -> None:
    arrived, released = threading.Semaphore(0), threading.Event()

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/slow":
            arrived.release()
            assert released.wait(TIMEOUT_S)
        start("200 OK", [])
        return [b'"done"']

    listener = listen("127.0.0.1", 0)
    with serving_by(app, listener, brief=lambda line: line == "GET /brief") as (_, port):
        socks = [socket.create_connection(("127.0.0.1", port), TIMEOUT_S) for _ in range(30)]
        for sock in socks:
            sock.sendall(b"GET /slow HTTP/1.1\r\n\r\n")
        assert all(arrived.acquire(timeout=TIMEOUT_S) for _ in range(server._THREADS))
        assert parsed(exchange(port, b"GET /brief HTTP/1.1\r\n\r\n"))[2] == "done"
        released.set()
        for sock in socks:
            assert parsed(received(sock))[2] == "done"
            sock.close()


def test_stop_answers_what_has_come_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_DRAIN_S", TIMEOUT_S)
    arrived, released = threading.Semaphore(0), threading.Event()
    app = service.create_app("slow", Trust())

    @app.get("/slow")
    def slow() -> dict[str, bool]:
        arrived.release()
        assert released.wait(TIMEOUT_S)
        return {"done": True}

    answers: list[bytes] = []
    with serving_by(app, listen("127.0.0.1", 0)) as (http, port):
        raw = b"GET /slow HTTP/1.1\r\nHost: [::1]\r\n\r\n"
        clients = [
            threading.Thread(target=lambda: answers.append(exchange(port, raw)))
            for _ in range(server._THREADS + 3)
        ]
        for thread in clients:
            thread.start()
        assert all(arrived.acquire(timeout=TIMEOUT_S) for _ in range(server._THREADS))
        wait_until(lambda: http._jobs.qsize() == 3, TIMEOUT_S, "three wait for a thread")
        http.stop()
        threading.Timer(0.3, released.set).start()
        for thread in clients:
            thread.join(TIMEOUT_S)
    assert [parsed(answer)[2] for answer in answers] == [{"done": True}] * len(clients)
    with pytest.raises(ConnectionRefusedError):
        exchange(port, raw)


def test_a_defect_of_the_app_costs_one_answer(caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/broken":
            raise RuntimeError("hunter2")
        start("200 OK", [])
        return [b"{}"]

    with serving_by(app, listen("127.0.0.1", 0)) as (_, port):
        status, _, body = parsed(exchange(port, b"GET /broken HTTP/1.1\r\n\r\n"))
        assert (status, body["error"]) == (500, "internal error; see the log of this service")
        assert parsed(exchange(port, b"GET / HTTP/1.1\r\n\r\n"))[0] == 200
    assert "hunter2" in caplog.text


def test_a_port_in_use_is_an_error() -> None:
    port = free_port()
    with listen("127.0.0.1", port), pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", port)
