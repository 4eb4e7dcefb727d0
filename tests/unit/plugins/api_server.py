# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An API on loopback that answers what a test tells it, and notes what it was asked."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any = None


@dataclass
class Answer:
    """What to answer: a JSON-able `body`, or `raw` bytes as they are."""

    status: int = 200
    body: Any = None
    raw: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False


Handler = Callable[[Asked], Answer]


class ApiServer:
    """Serves on a port of 127.0.0.1, by default a free one, from `start` to `stop`.

    By TLS, where `pem` is a file with a certificate and its key.
    """

    def __init__(self, pem: Path | None = None, port: int = 0) -> None:
        self.asked: list[Asked] = []
        self._handlers: dict[tuple[str, str], Handler] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler_class(self._respond))
        self._server.daemon_threads = True
        self._scheme = "http" if pem is None else "https"
        if pem is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(pem)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    @property
    def url(self) -> str:
        """The server's address."""
        return "%s://127.0.0.1:%d" % (self._scheme, self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop and close the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(5)
        self._server.server_close()

    def on(self, method: str, path: str, *answers: Answer) -> None:
        """Answer `answers` in turn, the last one for ever."""
        left = list(answers)
        self.handle(method, path, lambda asked: left.pop(0) if len(left) > 1 else left[0])

    def handle(self, method: str, path: str, handler: Handler) -> None:
        """Let `handler` make the answer."""
        self._handlers[(method, path)] = handler

    def _respond(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        handler = self._handlers.get((asked.method, asked.path))
        if handler is None:
            return Answer(404, {"error": "no such path", "field": None})
        return handler(asked)


def _handler_class(respond: Handler) -> type[BaseHTTPRequestHandler]:
    class _Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            answer = respond(
                Asked(
                    method=self.command,
                    path=parts.path,
                    query=dict(parse_qsl(parts.query)),
                    headers=dict(self.headers.items()),
                    body=json.loads(body) if body else None,
                )
            )
            if answer.hang_up:
                self.close_connection = True
                return
            payload = answer.raw if answer.raw is not None else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = _any
        do_POST = _any
        do_PUT = _any
        do_DELETE = _any

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return _Handler
