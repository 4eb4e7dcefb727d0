"""Views that wait: long polls and server-sent events, without a thread for each."""

from __future__ import annotations

import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, Response, request
from testbed.wait import wait_until

from nrs.api import refusals, server
from nrs.api.gate import Limits
from nrs.api.listener import listen
from nrs.api.waiting import Bell, Wait
from tests.serving import TIMEOUT_S, received, serving_by

WAITING = 3000


class News:
    """Something that a view may wait for."""

    def __init__(self) -> None:
        self.bell = Bell()
        self.text: str | None = None
        self.closed = 0

    def app(self) -> Flask:
        app = Flask("news")

        @app.get("/poll")
        def poll() -> Response:
            request.environ["nrs.verified"](request.args["id"])
            seconds = float(request.args.get("seconds", TIMEOUT_S))
            return Response(self.poll(seconds), content_type="text/plain")

        @app.get("/stream")
        def stream() -> Response:
            return Response(self.stream(), content_type="text/event-stream")

        return app

    def poll(self, seconds: float) -> Iterator[str | Wait]:
        seen, until = self.bell.rung, time.monotonic() + seconds
        try:
            while self.text is None and (left := until - time.monotonic()) > 0:
                yield Wait(self.bell, seen, left)
                seen = self.bell.rung
            yield self.text or "nothing"
        finally:
            self.closed += 1

    def stream(self) -> Iterator[str | Wait]:
        for number in range(3):
            seen = self.bell.rung
            yield f"data: {number}\n\n"
            if number < 2:
                yield Wait(self.bell, seen, TIMEOUT_S)

    def tell(self, text: str) -> None:
        self.text = text
        self.bell.ring()


def asked(port: int, path: str, source: str = "127.0.0.1", version: str = "1.1") -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), TIMEOUT_S, (source, 0))
    sock.sendall(f"GET {path} HTTP/{version}\r\nHost: [::1]\r\n\r\n".encode())
    return sock


def waiting(http: server.HttpService) -> int:
    return sum(connection.parked is not None for connection in http._connections.values())


@pytest.fixture
def many_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(before[0], 3 * WAITING)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, max(before[1], most)))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_thousands_wait_and_take_no_thread(many_files: None) -> None:
    news = News()
    with serving_by(news.app(), listen("127.0.0.1", 0)) as (http, port):
        socks = [
            asked(port, f"/poll?id=endpoint_{number}", f"127.0.1.{number % 200 + 1}")
            for number in range(WAITING)
        ]
        wait_until(lambda: waiting(http) == WAITING, TIMEOUT_S, "all of them wait")
        assert threading.active_count() < 2 * server._THREADS + 10
        with asked(port, "/poll?id=other&seconds=0") as sock:
            assert received(sock).endswith(b"\r\n\r\nnothing")
        news.tell("moved")
        for sock in socks:
            assert received(sock).endswith(b"\r\n\r\nmoved")
            sock.close()


def test_one_that_waits_for_nothing_is_answered_when_its_time_is_over() -> None:
    with serving_by(News().app(), listen("127.0.0.1", 0)) as (_, port):
        began = time.monotonic()
        with asked(port, "/poll?id=a&seconds=0.5") as sock:
            assert received(sock).endswith(b"\r\n\r\nnothing")
        assert time.monotonic() - began >= 0.5


def test_a_ring_between_looking_and_waiting_is_not_missed() -> None:
    bell = Bell()

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterator[bytes | Wait]:
        start("200 OK", [])
        seen = bell.rung
        bell.ring()
        yield Wait(bell, seen, 10 * TIMEOUT_S)
        yield b"heard"

    with serving_by(app, listen("127.0.0.1", 0)) as (_, port), asked(port, "/") as sock:
        assert received(sock).endswith(b"heard")


def test_events_are_sent_as_they_come() -> None:
    news = News()
    with (
        serving_by(news.app(), listen("127.0.0.1", 0)) as (http, port),
        asked(port, "/stream") as sock,
    ):
        file = sock.makefile("rb")
        head = b"".join(iter(file.readline, b"\r\n"))
        assert b"Transfer-Encoding: chunked\r\n" in head
        for number in range(3):
            assert file.readline() == b"9\r\n"
            assert file.read(11) == b"data: %d\n\n\r\n" % number
            if number < 2:
                wait_until(lambda: waiting(http) == 1, TIMEOUT_S, "it waits for more")
                news.bell.ring()
        assert file.read(5) == b"0\r\n\r\n"
        sock.sendall(b"GET /nowhere HTTP/1.1\r\n\r\n")
        assert file.readline() == b"HTTP/1.1 404 NOT FOUND\r\n"
        file.close()


def test_events_of_an_older_client_end_with_the_connection() -> None:
    news = News()
    with (
        serving_by(news.app(), listen("127.0.0.1", 0)) as (_, port),
        asked(port, "/stream", version="1.0") as sock,
    ):
        for rung in range(2):
            wait_until(lambda: news.bell._waiting, TIMEOUT_S, f"it waits for ring {rung}")
            news.bell.ring()
        assert received(sock).partition(b"\r\n\r\n")[2] == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"


def test_a_stream_that_is_quiet_is_not_closed() -> None:
    news, limits = News(), Limits(request_s=0.3, sending_s=0.3, stranger_idle_s=0.3, idle_s=0.3)
    with (
        serving_by(news.app(), listen("127.0.0.1", 0), limits=limits) as (http, port),
        asked(port, "/stream") as sock,
    ):
        wait_until(lambda: waiting(http) == 1, TIMEOUT_S, "it waits")
        time.sleep(1.0)
        assert waiting(http) == 1
        assert sock.recv(1) == b"H"


def test_a_stream_says_no_more_than_is_taken() -> None:
    bell, said = Bell(), []

    def stream() -> Iterator[bytes | Wait]:
        for number in range(2):
            said.append(number)
            yield b"x" * 30_000_000
            yield Wait(bell, bell.rung, TIMEOUT_S)

    app = Flask("large")
    app.add_url_rule("/", view_func=lambda: Response(stream(), content_type="text/plain"))
    with (
        serving_by(app, listen("127.0.0.1", 0)) as (http, port),
        asked(port, "/", version="1.0") as sock,
    ):
        wait_until(lambda: waiting(http) == 1, TIMEOUT_S, "it waits")
        bell.ring()
        (connection,) = http._connections.values()
        wait_until(lambda: connection.rung, TIMEOUT_S, "there is more to say")
        assert said == [0]
        taken = 0
        while taken < 60_000_000 and (chunk := sock.recv(1_000_000)):
            taken += len(chunk)
        assert said == [0, 1]


def test_who_leaves_is_not_waited_for() -> None:
    news = News()
    with serving_by(news.app(), listen("127.0.0.1", 0)) as (http, port):
        with asked(port, "/poll?id=a"):
            wait_until(lambda: waiting(http) == 1, TIMEOUT_S, "it waits")
        wait_until(lambda: news.closed == 1, TIMEOUT_S, "its view has ended")
        assert not http._connections
        assert news.bell._waiting == set()


def test_stopping_ends_those_that_wait() -> None:
    news = News()
    with serving_by(news.app(), listen("127.0.0.1", 0)) as (http, port):
        sock = asked(port, "/poll?id=a")
        wait_until(lambda: waiting(http) == 1, TIMEOUT_S, "it waits")
    assert received(sock) == b""
    assert news.closed == 1
    sock.close()


def test_a_source_is_refused_so_often_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "AT_ONCE", 3)
    monkeypatch.setattr(refusals, "_LONGEST_S", 2.0)
    app = Flask("refusing")

    @app.get("/")
    def refuse() -> tuple[str, int]:
        request.environ["nrs.refused"](request.remote_addr)
        return "no", 401

    with serving_by(app, listen("127.0.0.1", 0)) as (_, port):
        began = time.monotonic()
        socks = [asked(port, "/") for _ in range(40)]
        answers = [received(sock) for sock in socks]
        ended = time.monotonic()
        answered = sum(answer.startswith(b"HTTP/1.1 401 ") for answer in answers)
        assert answered + answers.count(b"") == 40
        assert 3 + 2 <= answered <= 3 + 1 + (ended - began)
        for sock in socks:
            sock.close()


def test_refused_answers_are_held_back_and_nobody_elses() -> None:
    app = Flask("refusing")

    @app.get("/")
    def refuse() -> tuple[str, int]:
        request.environ["nrs.refused"](request.remote_addr)
        return "no", 401

    @app.get("/good")
    def good() -> str:
        return "yes"

    with serving_by(app, listen("127.0.0.1", 0)) as (http, port):
        socks = [asked(port, "/") for _ in range(22)]
        began = time.monotonic()
        for sock in socks[:20]:
            assert received(sock).startswith(b"HTTP/1.1 401 ")
        with asked(port, "/good") as sock:
            assert received(sock).startswith(b"HTTP/1.1 200 ")
        wait_until(
            lambda: http.refusals.as_dict()["credentials"] == 22, TIMEOUT_S, "all are counted"
        )
        for sock in socks[20:]:
            assert received(sock).startswith(b"HTTP/1.1 401 ")
        assert time.monotonic() - began >= 1.0
        for sock in socks:
            sock.close()
