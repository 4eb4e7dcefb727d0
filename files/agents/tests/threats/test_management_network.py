"""Somebody between a device and a service, where the service has a certificate."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask, request

from nrs.api import tls
from nrs.api.client import ApiClient, ApiUnavailable
from nrs.api.service import create_app
from nrs.config.service_api import ServiceApi
from tests.api.callers import shared
from tests.api.certified import Authority
from tests.serving import TIMEOUT_S, serving

TOKEN = "s" * 40
Change = Callable[[bytes], bytes]


class Between:
    """Passes on what a client and a server on loopback say, changed, and keeps it."""

    def __init__(self, port: int, change: Change = bytes) -> None:
        self._port, self._change = port, change
        self.seen = bytearray()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(TIMEOUT_S)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                for source, to in ((client, server), (server, client)):
                    thread = threading.Thread(target=self._pass, args=(source, to))
                    self._threads.append(thread)
                    thread.start()

    def _pass(self, source: socket.socket, to: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.seen += data
                to.sendall(self._change(data))
        for each in (source, to):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@contextlib.contextmanager
def between(port: int, change: Change = bytes) -> Iterator[Between]:
    found = Between(port, change)
    try:
        yield found
    finally:
        found.close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def heard() -> list[str]:
    """What the service has been told."""
    return []


@pytest.fixture
def port(authority: Authority, heard: list[str]) -> Iterator[int]:
    app: Flask = create_app("example", shared(TOKEN))

    @app.post("/say")
    def say() -> dict[str, str]:
        heard.append(request.get_data(as_text=True))
        return {"said": "the answer"}

    certificate, key = authority.certify("service", "127.0.0.1")
    shown = tls.served_by(ServiceApi(certificate_file=certificate, key_file=key))
    with serving(app, context=shown) as port:
        yield port


def say(port: int, authority: Authority) -> None:
    url = f"https://127.0.0.1:{port}"
    answer = ApiClient([url], {url: TOKEN}, authority.file).post("/say", {"what": "a secret"})
    assert answer == {"said": "the answer"}


def test_who_sees_what_passes_learns_no_token(
    port: int, authority: Authority, heard: list[str]
) -> None:
    with between(port) as reader:
        say(reader.port, authority)
        assert heard == ['{"what": "a secret"}']
        assert len(reader.seen) > 1000
        for text in (TOKEN, "secret", "answer", "/say"):
            assert text.encode() not in reader.seen


def test_who_changes_what_passes_changes_no_request(
    port: int, authority: Authority, heard: list[str]
) -> None:
    def flip(data: bytes) -> bytes:
        return data[:-1] + bytes([data[-1] ^ 1])

    with between(port, flip) as changing, pytest.raises(ApiUnavailable):
        say(changing.port, authority)
    assert heard == []


def test_who_answers_in_its_place_is_not_believed(
    authority: Authority, tmp_path: Path, heard: list[str]
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    certificate, key = Authority(own).certify("service", "127.0.0.1")
    shown = tls.served_by(ServiceApi(certificate_file=certificate, key_file=key))
    app = create_app("posing", shared(TOKEN))
    app.add_url_rule("/say", view_func=lambda: heard.append("told") or "", methods=["POST"])
    with (
        serving(app, context=shown) as port,
        pytest.raises(ApiUnavailable, match=r"not trusted by .*example_CA\.pem"),
    ):
        say(port, authority)
    assert heard == []
