"""Serve a WSGI app over HTTP/1.1, plain or TLS 1.3: a thread with an epoll, a few for views.

Who may hold a connection, and for how long, is decided in `gate.py`; requests are read in
`incoming.py`, answers made in `answering.py`. A view that is `brief` is called in the loop, as a
change of threads would cost as much as its answer; any other may block a thread. One that waits
(`waiting.py`) takes none. In a request's environ an app finds

    nrs.verified(credential)   the request has proved this credential: a text that is its alone
    nrs.refused(source)        the request had a credential in vain; such answers are slowed
    nrs.denied()               its credential is good, and not for that
    nrs.refusals()             how often either has been said, by kind
"""

from __future__ import annotations

import errno
import functools
import logging
import os
import queue
import select
import socket
import ssl
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from nrs.api.answering import Answering, App, plain_error
from nrs.api.connection import Connection, NotTls, Parked
from nrs.api.gate import Gate, Limits, Phase
from nrs.api.incoming import LARGEST_OF_PROVED, Refused
from nrs.api.refusals import Refusals
from nrs.api.waiting import Wait

_THREADS = 8
_LOOK_S = 0.25
"""How late a deadline may be noticed."""
_DRAIN_S = 2.0
_ACCEPTED_AT_ONCE = 64
_SOURCE_AT_ONCE = 4
"""Strangers of one source that are heard in a turn: a handshake takes most of a millisecond."""
_MOST_EVENTS = 8192
_NO_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

log = logging.getLogger(__name__)


def _never_brief(line: str) -> bool:
    return False


class HttpService:
    """Serves an app until `stop`; `run` blocks, the others may be called from any thread."""

    def __init__(
        self,
        app: App,
        listener: socket.socket,
        *,
        context: ssl.SSLContext | None = None,
        plain: bool = False,
        brief: Callable[[str], bool] = _never_brief,
        limits: Limits | None = None,
    ) -> None:
        """`brief` is asked with method and path, and says that this view never blocks.

        Connections are TLS by `context`; with `plain`, or without a context, plain ones are served.
        """
        listener.setblocking(False)
        self._app = app
        self._listener = listener
        self._context, self._plain = context, plain
        self._brief = brief
        self._gate: Gate[int] = Gate(limits or Limits())
        self.refusals = Refusals()
        self._connections: dict[int, Connection] = {}
        self._timed: dict[Connection, float] = {}
        self._again: list[Connection] = []
        self._poll = select.epoll()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._calls: deque[Callable[[], None]] = deque()
        self._jobs: queue.SimpleQueue[Connection | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._stopping = self._full = False
        self._running = True
        self._environ = {
            "nrs.refusals": self.refusals.as_dict,
            "SCRIPT_NAME": "",
            "SERVER_NAME": str(listener.getsockname()[0]),
            "SERVER_PORT": str(listener.getsockname()[1]),
            "wsgi.version": (1, 0),
            "wsgi.errors": _Errors(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
        }

    # -- from any thread

    def stop(self) -> None:
        """Let `run` finish and return."""
        self._stopping = True
        self._call(lambda: None)

    def renew(self, context: ssl.SSLContext | None, *, plain: bool = False) -> None:
        """Connections that come from now on are as these say; others go on."""
        self._context, self._plain = context, plain

    def _call(self, what: Callable[[], None]) -> None:
        """Have the loop do it."""
        self._calls.append(what)
        with self._closing:
            if self._running:
                os.eventfd_write(self._bell, 1)

    # -- the loop

    def run(self) -> None:
        """Serve requests; returns after `stop`, with the requests at hand answered."""
        threads = [
            threading.Thread(target=self._work, name=f"view {number}", daemon=True)
            for number in range(_THREADS)
        ]
        for thread in threads:
            thread.start()
        self._poll.register(self._bell, select.EPOLLIN)
        self._poll.register(self._listener, select.EPOLLIN)
        looked = time.monotonic()
        while not self._stopping:
            self._turn(0.0 if self._again else _LOOK_S)
            if time.monotonic() - looked >= _LOOK_S:
                looked = time.monotonic()
                self._look(looked)
        self._drain()
        for connection in list(self._connections.values()):
            self._close(connection)
        for _ in threads:
            self._jobs.put(None)
        with self._closing:
            self._running = False
            self._poll.close()
            os.close(self._bell)
        deadline = time.monotonic() + _DRAIN_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _drain(self) -> None:
        self._poll.unregister(self._listener)
        self._listener.close()
        deadline = time.monotonic() + _DRAIN_S
        for connection in list(self._connections.values()):
            if connection.parked is not None:
                self._resume(connection.parked)
            elif connection.answering is None and not connection.out:
                self._close(connection)
        while self._connections and time.monotonic() < deadline:
            self._turn(0.05)

    def _turn(self, timeout: float) -> None:
        again, self._again = self._again, []
        strangers: list[tuple[Connection, int]] = []
        arrived = False
        for number, mask in self._poll.poll(timeout, _MOST_EVENTS):
            connection = self._connections.get(number)
            if connection is None:
                arrived |= number == self._listener.fileno()
                if number == self._bell:
                    os.eventfd_read(self._bell)
            elif connection.guest.credential is None:
                strangers.append((connection, mask))
            else:
                self._do(connection, self._ready, mask)
        while self._calls:
            self._calls.popleft()()
        for connection in again:
            self._do(connection, self._proceed)
        heard: Counter[str] = Counter()
        for connection, mask in strangers:
            heard[connection.guest.source] += 1
            if heard[connection.guest.source] <= _SOURCE_AT_ONCE:
                self._do(connection, self._ready, mask)
        if arrived and not self._stopping:
            self._accept()

    def _do(self, connection: Connection, what: Callable[..., None], *arguments: Any) -> None:
        """A defect here costs one connection."""
        if connection.gone:
            return
        try:
            what(connection, *arguments)
        except OSError:
            self._close(connection)
        except Exception:
            log.exception("a connection from %s failed", connection.guest.source)
            self._close(connection)

    def _look(self, now: float) -> None:
        for number in self._gate.overdue(now):
            self._close(self._connections[number])
        due = [connection for connection, until in self._timed.items() if until <= now]
        for connection in due:
            del self._timed[connection]
            if connection.parked is not None:
                self._resume(connection.parked)
            elif connection.held_until is not None:
                connection.held_until = None
                self._do(connection, self._close if connection.unanswered else self._send)

    def _told_full(self, why: str | None) -> None:
        """Say once that nobody is let in and once that it is over."""
        if why is not None and not self._full:
            log.warning("connections are not accepted: %s", why)
        elif why is None and self._full:
            log.warning("connections are accepted again")
        self._full = why is not None

    def _accept(self) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                sock, address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _NO_ROOM and not self._make_room():
                    # Nothing can be done but to let those finish that are at it.
                    self._told_full(error.strerror)
                    time.sleep(0.01)
                return
            self._told_full(None)
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            environ = {
                **self._environ,
                "REMOTE_ADDR": address[0],
                "REMOTE_PORT": str(address[1]),
                "wsgi.url_scheme": "http" if self._context is None else "https",
            }
            connection = Connection(sock, self._context, environ, plain=self._plain)
            connection.guest, leaving = self._gate.opened(
                connection.number, address[0], time.monotonic()
            )
            self._connections[connection.number] = connection
            self._watch(connection, select.EPOLLIN)
            if leaving is not None:
                self._close(self._connections[leaving])

    def _make_room(self) -> bool:
        number = self._gate.oldest_stranger()
        if number is None:
            return False
        self._close(self._connections[number])
        return True

    # -- one connection

    def _ready(self, connection: Connection, mask: int) -> None:
        if mask & (select.EPOLLERR | select.EPOLLHUP) or (
            mask & select.EPOLLRDHUP and connection.parked is not None
        ):
            self._close(connection)
        elif connection.out:
            self._send(connection)
        elif mask & select.EPOLLIN:
            self._receive(connection)

    def _receive(self, connection: Connection) -> None:
        try:
            data = connection.receive()
        except NotTls:
            connection.problem = Refused(
                HTTPStatus.BAD_REQUEST, "this port speaks TLS: use https://"
            )
            self._proceed(connection)
            return
        if data is None or (connection.lingering and data):
            return
        if not data:
            self._close(connection)
            return
        try:
            connection.incoming.feed(data)
        except Refused as problem:
            connection.problem = problem
        self._proceed(connection)

    def _proceed(self, connection: Connection) -> None:
        """Do what is next, where nothing is under way."""
        incoming = connection.incoming
        if incoming.whole:
            self._begin(connection)
        elif connection.problem is not None:
            connection.out += plain_error(connection.problem.status, connection.problem.error)
            connection.leaving = True
            connection.guest.becomes(Phase.SENDING, time.monotonic())
            self._send(connection)
        elif self._stopping:
            self._close(connection)
        else:
            phase, guest = Phase.ARRIVING if incoming.within else Phase.IDLE, connection.guest
            # The time of the first request counts from the connection's begin.
            if guest.phase is not phase and (incoming.within or guest.phase is not Phase.ARRIVING):
                guest.becomes(phase, time.monotonic())
            self._watch(connection, select.EPOLLIN)
            if incoming.expects:
                incoming.expects = False
                connection.out += b"HTTP/1.1 100 Continue\r\n\r\n"
                connection.send()

    def _begin(self, connection: Connection) -> None:
        request = connection.incoming.whole.popleft()
        environ = request.environ
        connection.answering = Answering(self._app, request)
        connection.guest.becomes(Phase.BUSY, time.monotonic())
        if self._brief(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"):
            self._stepped(connection, *connection.answering.step())
        else:
            self._hand_over(connection)

    def _hand_over(self, connection: Connection) -> None:
        self._watch(connection, 0)
        connection.stepping = True
        self._jobs.put(connection)

    def _work(self) -> None:
        """A thread that calls views."""
        while (connection := self._jobs.get()) is not None:
            answering = connection.answering
            assert answering is not None
            if connection.gone:
                answering.close()
                continue
            out, wait = answering.step()
            self._call(functools.partial(self._done, connection, out, wait))

    def _done(self, connection: Connection, out: bytes, wait: Wait | None) -> None:
        connection.stepping = False
        if connection.gone:
            if wait is not None:
                self._jobs.put(connection)
            return
        self._do(connection, self._stepped, out, wait)

    def _stepped(self, connection: Connection, out: bytes, wait: Wait | None) -> None:
        answering = connection.answering
        assert answering is not None
        self._judge(connection)
        connection.out += out
        if wait is not None:
            self._park(connection, wait)
        else:
            connection.answering = None
            connection.leaving = not answering.keep or self._stopping
        if connection.out:
            self._send(connection)

    def _judge(self, connection: Connection) -> None:
        """What the view has said of the credential."""
        credential, source = connection.credential, connection.refused_from
        if credential is not None and connection.guest.credential != credential:
            connection.incoming.largest_body = LARGEST_OF_PROVED
            leaving = self._gate.verified(connection.guest, credential)
            if leaving is not None:
                self._close(self._connections[leaving])
        if source is not None:
            connection.refused_from = None
            refused = self.refusals.refused(source, time.monotonic())
            if refused.log is not None:
                log.warning("%s", refused.log)
            if refused.delay_s:
                connection.held_until = time.monotonic() + refused.delay_s
                connection.unanswered = not refused.answered
                self._timed[connection] = connection.held_until
        if connection.denied:
            connection.denied = False
            line = self.refusals.denied(connection.guest.source, time.monotonic())
            if line is not None:
                log.warning("%s", line)

    def _park(self, connection: Connection, wait: Wait) -> None:
        if self._stopping:
            self._close(connection)
            return
        parked = Parked(connection, wait, time.monotonic() + wait.seconds)
        connection.parked = parked
        self._timed[connection] = parked.until
        self._watch(connection, select.EPOLLRDHUP)
        if not wait.bell.listen(wait.seen, parked.wake_by(self._call, self._resume)):
            self._resume(parked)

    def _resume(self, parked: Parked) -> None:
        connection = parked.connection
        if connection.parked is not parked or connection.gone:
            return
        if connection.out:
            connection.rung = True
            return
        parked.leave()
        connection.parked, connection.rung = None, False
        self._timed.pop(connection, None)
        self._hand_over(connection)

    def _send(self, connection: Connection) -> None:
        guest = connection.guest
        if connection.held_until is not None:
            guest.becomes(Phase.SENDING, time.monotonic())
            self._watch(connection, 0)
            return
        left = len(connection.out)
        whole = connection.send()
        guest.taken += left - len(connection.out)
        if not whole:
            if guest.phase is not Phase.SENDING:
                guest.becomes(Phase.SENDING, time.monotonic())
            self._watch(connection, select.EPOLLOUT)
        elif connection.answering is not None:
            # There is more to come of this answer.
            if guest.phase is not Phase.BUSY:
                guest.becomes(Phase.BUSY, time.monotonic())
            self._watch(connection, 0 if connection.stepping else select.EPOLLRDHUP)
            if connection.rung and connection.parked is not None:
                self._resume(connection.parked)
        elif not connection.leaving:
            self._next(connection)
        elif connection.problem is not None:
            # With what it still sends unread, a close would take the answer back.
            connection.end_sending()
            connection.lingering = True
            self._watch(connection, select.EPOLLIN)
        else:
            self._close(connection)

    def _next(self, connection: Connection) -> None:
        """Others get their turn between two requests that came together."""
        if connection.incoming.whole:
            # What comes meanwhile stays in the socket, so that no other request overtakes.
            self._watch(connection, 0)
            self._again.append(connection)
        else:
            self._proceed(connection)

    def _watch(self, connection: Connection, events: int) -> None:
        if events == connection.events:
            return
        if connection.events == 0 and not connection.watched:
            self._poll.register(connection.number, events)
            connection.watched = True
        else:
            self._poll.modify(connection.number, events)
        connection.events = events

    def _close(self, connection: Connection) -> None:
        if connection.gone:
            return
        self._gate.closed(connection.guest)
        self._timed.pop(connection, None)
        if connection.parked is not None:
            connection.parked.leave()
            connection.parked = None
        if connection.answering is not None and not connection.stepping:
            self._jobs.put(connection)
        del self._connections[connection.number]
        connection.close()


class _Errors:
    """`wsgi.errors`: text for the log."""

    def write(self, text: str) -> None:
        log.error("%s", text.rstrip())

    def flush(self) -> None:
        """Nothing waits here."""
