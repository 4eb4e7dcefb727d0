"""Serve an app on a loopback socket for as long as a test needs it."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

from flask import Flask

from nrs.api.listener import listen
from nrs.api.server import HttpService

TIMEOUT_S = 60.0
"""Long enough for a machine with much else to do; a test that passes never waits for it."""


@contextlib.contextmanager
def serving(app: Flask, address: str = "127.0.0.1", **options: Any) -> Iterator[int]:
    """The port on which `app` is served; stopped at the end, with no thread left."""
    with serving_by(app, listen(address, 0), **options) as (_, port):
        yield port


@contextlib.contextmanager
def serving_by(
    app: Any, listener: socket.socket, **options: Any
) -> Iterator[tuple[HttpService, int]]:
    """The same with the server at hand."""
    port: int = listener.getsockname()[1]
    service = HttpService(app, listener, **options)
    thread = threading.Thread(target=service.run)
    thread.start()
    try:
        yield service, port
    finally:
        service.stop()
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()


def exchange(port: int, raw: bytes, *, context: ssl.SSLContext | None = None) -> bytes:
    """Send `raw` to a loopback port; the one answer to it, or what came before the end."""
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), TIMEOUT_S))
        if context is not None:
            sock = stack.enter_context(context.wrap_socket(sock, server_hostname="127.0.0.1"))
        sock.sendall(raw)
        return received(sock, head_only=raw.startswith(b"HEAD "))


def received(sock: socket.socket, *, head_only: bool = False) -> bytes:
    """One answer with a Content-Length, or all that comes before the end."""
    answer = bytearray()
    while chunk := sock.recv(65536):
        answer += chunk
        end = answer.find(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: (\d+)", answer[: end + 2], re.IGNORECASE)
        if end >= 0 and length and (head_only or len(answer) >= end + 4 + int(length[1])):
            break
    return bytes(answer)
