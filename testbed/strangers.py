"""Connections that hold a server up: they say nothing, or a request that never ends.

    python -m testbed.strangers ADDRESS PORT SILENT SLOW SOURCES plain|tls

From so many addresses, 127.9.0.1 and following. A slow one sends a byte a second, by TLS after the
handshake. One that is closed comes back a second later. Says "there" once each has been opened.
"""

from __future__ import annotations

import resource
import selectors
import socket
import ssl
import sys
import time
from contextlib import suppress

_AGAIN_S = 1.0
_BEGIN = b"GET /health HTTP/1.1\r\nA: "


class Stranger:
    """One connection, opened again and again."""

    def __init__(self, place: tuple[str, int], source: str, *, slow: bool, tls: bool) -> None:
        self._place = place
        self._source = source
        self._slow = slow
        self._tls = tls
        self._sock: socket.socket | None = None
        self._shaking = False
        self._sent = 0
        self.due = 0.0

    def act(self, watch: selectors.BaseSelector) -> None:
        """What is due: open it, or send another byte."""
        self.due = time.monotonic() + _AGAIN_S
        if self._sock is None:
            self._open(watch)
        elif self._slow and not self._shaking:
            byte = _BEGIN[self._sent : self._sent + 1] or b"a"
            self._sent += 1
            try:
                self._sock.send(byte)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            except OSError:
                self._lost(watch)

    def ready(self, watch: selectors.BaseSelector) -> None:
        """Something has come: the next step of a handshake, or the end."""
        if self._sock is None:
            return
        try:
            if self._shaking and isinstance(self._sock, ssl.SSLSocket):
                self._sock.do_handshake()
                self._shaking = False
            elif not self._sock.recv(4096):
                self._lost(watch)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            self._lost(watch)

    def _open(self, watch: selectors.BaseSelector) -> None:
        sock = socket.socket()
        sock.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        sock.bind((self._source, 0))
        sock.settimeout(_AGAIN_S)
        try:
            sock.connect(self._place)
        except OSError:
            sock.close()
            return
        sock.setblocking(False)
        self._sent, self._shaking = 0, self._slow and self._tls
        if self._shaking:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            sock = context.wrap_socket(sock, do_handshake_on_connect=False)
        self._sock = sock
        watch.register(sock, selectors.EVENT_READ, self)
        if self._shaking:
            self.ready(watch)

    def _lost(self, watch: selectors.BaseSelector) -> None:
        if self._sock is not None:
            watch.unregister(self._sock)
            with suppress(OSError):
                self._sock.close()
        self._sock = None


def come(place: tuple[str, int], silent: int, slow: int, sources: int, *, tls: bool) -> None:
    """Until this process is ended."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    watch = selectors.DefaultSelector()
    strangers = [
        Stranger(place, f"127.9.0.{number % sources + 1}", slow=number >= silent, tls=tls)
        for number in range(silent + slow)
    ]
    said = False
    while True:
        for stranger in strangers:
            if stranger.due <= time.monotonic():
                stranger.act(watch)
        if not said:
            said = True
            print("there", flush=True)
        for key, _ in watch.select(0.02):
            key.data.ready(watch)


if __name__ == "__main__":
    _address, _port, _silent, _slow, _sources, _how = sys.argv[1:]
    come((_address, int(_port)), int(_silent), int(_slow), int(_sources), tls=_how == "tls")
