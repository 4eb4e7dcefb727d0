"""Serve a WSGI app with waitress, one request per connection, errors in JSON.

waitress answers what it refuses by itself as plain text and closes the connection on a
client that still sends, which then sees a reset instead of the answer. It also keeps
idle connections open, of which a hundred are its limit: fewer than there are endpoints.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.buffers import OverflowableBuffer
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask
from waitress.utilities import RequestEntityTooLarge

LARGEST_BODY = 64 * 1024
"""Bytes of a request body; a larger one is answered 413."""

TOO_LARGE = f"the body is larger than {LARGEST_BODY} bytes"

log = logging.getLogger(__name__)

_LARGEST_DRAINED = 64 * 1024 * 1024
_LARGEST_HEADERS = 32 * 1024
_THREADS = 8
_BACKLOG = 1024
_MOST_CONNECTIONS = 500
_REQUEST_DEADLINE_S = 15
_LOOP_S = 1.0
_ACCEPT_AGAIN_S = 1.0
_DRAIN_S = 2.0


def listen(address: str, port: int) -> socket.socket:
    """A listening TCP socket; `::` serves IPv4 too. Raises OSError."""
    # The look-up finds the interface that a link-local address names.
    found = socket.getaddrinfo(
        address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_PASSIVE
    )
    family, _, _, _, place = found[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(place)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


class HttpService:
    """Serves an app until `stop`; `run` blocks, `stop` may be called from any thread."""

    def __init__(self, app: Callable[..., Any], listener: socket.socket) -> None:
        # Its warning for each request that waits a moment would drown the log under load.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._stopping = threading.Event()
        self._closing = threading.Lock()
        self._sockets: dict[int, Any] = {}
        self._dispatcher = ThreadedTaskDispatcher()
        self._dispatcher.set_thread_count(_THREADS)
        self._server = _Server(
            app,
            self._sockets,
            _sock=listener,
            dispatcher=self._dispatcher,
            bind_socket=False,
            sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
            adj=Adjustments(
                ident=None,
                backlog=_BACKLOG,
                max_request_body_size=_LARGEST_DRAINED,
                max_request_header_size=_LARGEST_HEADERS,
                connection_limit=_MOST_CONNECTIONS,
                # A long answer stays in memory: a full disk takes no file of it.
                outbuf_overflow=_LARGEST_DRAINED,
                cleanup_interval=1,
                clear_untrusted_proxy_headers=True,
            ),
        )

    def run(self) -> None:
        """Serve requests; returns after `stop`, with the requests at hand answered."""
        while not self._stopping.is_set():
            wasyncore.loop(timeout=_LOOP_S, use_poll=True, map=self._sockets, count=1)
        wasyncore.dispatcher.close(self._server)
        deadline = time.monotonic() + _DRAIN_S
        while self._server.busy() and time.monotonic() < deadline:
            wasyncore.loop(timeout=0.05, use_poll=True, map=self._sockets, count=1)
        self._dispatcher.shutdown(timeout=_DRAIN_S)
        with self._closing:
            wasyncore.close_all(self._sockets, ignore_all=True)

    def stop(self) -> None:
        """Let `run` finish and return."""
        with self._closing:
            self._stopping.set()
            if self._sockets:
                self._server.pull_trigger()


class _LimitedBuffer(OverflowableBuffer):
    """Keeps at most a body's size and drops what goes beyond it."""

    too_large = False

    def __init__(self) -> None:
        super().__init__(2 * LARGEST_BODY)

    def append(self, data: bytes) -> None:
        if self.too_large or len(self) + len(data) > LARGEST_BODY:
            self.too_large = True
        else:
            super().append(data)


class _Parser(HTTPRequestParser):
    """Reads an over-long body to its end without keeping it, so that the 413 arrives."""

    error: Any
    completed: bool
    expect_continue: bool

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if self.body_rcv is not None:
            self.body_rcv.buf = _LimitedBuffer()

    def received(self, data: bytes) -> int:
        consumed: int = super().received(data)
        if self.expect_continue and self.content_length > LARGEST_BODY:
            self.expect_continue = False
            self.completed = True
        if self.completed and not self.error and self._too_large():
            self.error = RequestEntityTooLarge("")
        return consumed

    def _too_large(self) -> bool:
        if self.content_length > LARGEST_BODY:
            return True
        return self.body_rcv is not None and self.body_rcv.buf.too_large


class _Task(WSGITask):
    """Closes the connection after the answer.

    Endpoints ask every ten seconds: their idle connections would be most of what the
    server holds, and one that the server times out as it is used again loses a request.
    """

    def start(self) -> None:
        super().start()
        self.set_close_on_finish()


class _ErrorTask(ErrorTask):
    """What the server itself refuses, in the form that the APIs answer errors in."""

    def execute(self) -> None:
        problem = self.request.error
        text = TOO_LARGE if problem.code == 413 else f"{problem.reason}: {problem.body}"
        answer = json.dumps({"error": text, "field": None}).encode() + b"\n"
        self.status = f"{problem.code} {problem.reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.set_close_on_finish()
        self.content_length = len(answer)
        self.write(answer)


class _Channel(HTTPChannel):
    task_class = _Task
    error_task_class = _ErrorTask
    parser_class = _Parser


class _Server(TcpWSGIServer):
    channel_class = _Channel
    _failed: int | None = None
    """The error number of the connection that could not be accepted last."""
    _accept_again = 0.0

    def readable(self) -> bool:
        """Who waits is there still: without descriptors it would be asked at once again."""
        ready: bool = super().readable()
        return ready and time.monotonic() >= self._accept_again

    def accept(self) -> Any:
        """A connection, if there is one to be had."""
        try:
            found = super().accept()
        except OSError as error:
            if error.errno != self._failed:
                log.error("connections are not accepted: %s", error.strerror)
            self._failed, self._accept_again = error.errno, time.monotonic() + _ACCEPT_AGAIN_S
            return None
        if found is not None and self._failed is not None:
            log.info("connections are accepted again")
            self._failed = None
        return found

    def maintenance(self, now: float) -> None:
        """Close connections that did not state a whole request in time, however busily."""
        cutoff = now - _REQUEST_DEADLINE_S
        for channel in self.active_channels.values():
            if not channel.requests and channel.creation_time < cutoff:
                channel.will_close = True

    def busy(self) -> bool:
        """Whether a request is being answered or an answer is on its way out."""
        return any(
            channel.requests or channel.total_outbufs_len
            for channel in list(self.active_channels.values())
        )
