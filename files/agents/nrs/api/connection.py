"""One connection to an API: its socket, plain or TLS, and what is under way on it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from nrs.api.answering import Answering
from nrs.api.gate import Guest
from nrs.api.incoming import Incoming, Refused
from nrs.api.waiting import Wait

_AT_ONCE = 16384
"""Bytes of a read: a TLS record, so that none is left where epoll does not see it."""
_TLS_HANDSHAKE = b"\x16"


class NotTls(Exception):
    """Something else than TLS was said where TLS is expected."""


@dataclass(eq=False)
class Parked:
    """What a connection waits for, `until` then."""

    connection: Connection
    wait: Wait
    until: float
    _wake: Callable[[], None] | None = None

    def wake_by(
        self, call: Callable[[Callable[[], None]], None], resume: Callable[[Parked], None]
    ) -> Callable[[], None]:
        """What a bell calls: it has `call` do the rest."""
        self._wake = lambda: call(lambda: resume(self))
        return self._wake

    def leave(self) -> None:
        """Wait no longer."""
        if self._wake is not None:
            self.wait.bell.leave(self._wake)


class Connection:
    """Sockets of `context` are wrapped when their first byte is there: silent ones cost little."""

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext | None,
        environ: dict[str, Any],
        *,
        plain: bool = False,
    ) -> None:
        """With `plain`, one that does not begin with TLS is served in clear."""
        self._sock = sock
        self._context, self._plain = context, plain
        self.number = sock.fileno()
        self.guest: Guest[int]
        self.events = 0
        """What epoll watches it for."""
        self.watched = False
        self.incoming = Incoming(
            {
                **environ,
                "nrs.verified": self._verified,
                "nrs.refused": self._refused,
                "nrs.denied": self._denied,
            }
        )
        self.answering: Answering | None = None
        self.stepping = False
        """Whether a thread is at `answering`."""
        self.parked: Parked | None = None
        self.rung = False
        """Whether what it waits for is there, and it has yet to take what was said before."""
        self.held_until: float | None = None
        """The answer is not sent before that."""
        self.unanswered = False
        """Whether it is not sent then either."""
        self.out = bytearray()
        self.problem: Refused | None = None
        """What the server answers after the requests that came before it."""
        self.leaving = False
        """Whether `out` is the last that is sent."""
        self.lingering = False
        """Whether what still comes is read only to be dropped."""
        self.gone = False
        self.credential: str | None = None
        """What the last request proved."""
        self.refused_from: str | None = None
        """Whose credential the last request had in vain."""
        self.denied = False
        """Whether the last request was not for whoever sent it."""

    def _verified(self, credential: str) -> None:
        self.credential = credential

    def _refused(self, source: str) -> None:
        self.refused_from = source

    def _denied(self) -> None:
        self.denied = True

    def receive(self) -> bytes | None:
        """What has come; b"" at the end, None where nothing is there. Raises OSError, NotTls."""
        try:
            if self._context is not None:
                self._wrap(self._context)
            return self._sock.recv(_AT_ONCE)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            # A server's part of a handshake is shorter than any socket's buffer.
            return None

    def _wrap(self, context: ssl.SSLContext) -> None:
        first = self._sock.recv(1, socket.MSG_PEEK)
        self._context = None
        if first == _TLS_HANDSHAKE:
            self._sock = context.wrap_socket(
                self._sock, server_side=True, do_handshake_on_connect=False
            )
        elif first and not self._plain:
            raise NotTls

    def send(self) -> bool:
        """Send what is to be sent; whether all of it is on its way. Raises OSError."""
        try:
            while self.out:
                del self.out[: self._sock.send(self.out)]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        return True

    def end_sending(self) -> None:
        """Tell the other end that nothing more comes; what it sends can still be read."""
        self._end_tls()
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Let go of the socket."""
        self.gone = True
        if not self.lingering:
            self._end_tls()
        self._sock.close()

    def _end_tls(self) -> None:
        if isinstance(self._sock, ssl.SSLSocket):
            # It says so, and does not wait for the other end to say the same.
            with suppress(OSError, ValueError):
                self._sock.unwrap()
