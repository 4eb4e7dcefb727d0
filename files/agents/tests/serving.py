"""Serve an app on a loopback socket for as long as a test needs it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

from flask import Flask

from nrs.api.server import HttpService, listen

TIMEOUT_S = 60.0
"""Long enough for a machine with much else to do; a test that passes never waits for it."""


@contextlib.contextmanager
def serving(app: Flask, address: str = "127.0.0.1") -> Iterator[int]:
    """The port on which `app` is served; stopped at the end, with no thread left."""
    listener = listen(address, 0)
    port: int = listener.getsockname()[1]
    service = HttpService(app, listener)
    thread = threading.Thread(target=service.run)
    thread.start()
    try:
        yield port
    finally:
        service.stop()
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()


def free_port(address: str = "127.0.0.1") -> int:
    """A TCP port that nothing listens on at the moment."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as sock:
        sock.bind((address, 0))
        port: int = sock.getsockname()[1]
        return port


def exchange(port: int, raw: bytes) -> bytes:
    """Send `raw` to a loopback port; all that comes back until the other end closes."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as sock:
        sock.sendall(raw)
        received = b""
        while chunk := sock.recv(65536):
            received += chunk
        return received
