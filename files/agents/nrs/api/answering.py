"""One request is given to the app, and the app's answer becomes bytes (RFC 9112, section 6)."""

from __future__ import annotations

import functools
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from nrs.api.incoming import Request
from nrs.api.waiting import Wait

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[Any]]
_BODILESS = {"204", "304"}

log = logging.getLogger(__name__)


class Answering:
    """Between a request and its answer; one thread at a time may `step`."""

    def __init__(self, app: App, request: Request) -> None:
        self._app = app
        self._environ = request.environ
        self._modern = request.environ["SERVER_PROTOCOL"] != "HTTP/1.0"
        self.keep = request.keep
        """Whether the connection may be used again afterwards."""
        self._answer: Iterable[Any] | None = None
        self._chunks: Iterator[Any] = iter(())
        self._status = ""
        self._headers: list[tuple[str, str]] = []
        self._body: list[bytes] = []
        self._framed = False
        self._begun = False

    def step(self) -> tuple[bytes, Wait | None]:
        """What is to be sent now, and what the app waits for; None when the answer is whole."""
        try:
            if self._answer is None:
                self._answer = self._app(self._environ, self._start)
                self._chunks = iter(self._answer)
            for chunk in self._chunks:
                if type(chunk) is Wait:
                    return self._so_far(), chunk
                self._body.append(chunk)
            whole = self._rest()
        except Exception:
            log.exception("%s %s failed", self._environ["REQUEST_METHOD"], self._path)
            whole = b"" if self._begun else plain_error(HTTPStatus.INTERNAL_SERVER_ERROR)
            self.keep = False
        self.close()
        return whole, None

    def close(self) -> None:
        """Nothing more of this answer is wanted."""
        close = getattr(self._answer, "close", None)
        self._answer = ()
        if close is not None:
            try:
                close()
            except Exception:
                log.exception("%s %s failed", self._environ["REQUEST_METHOD"], self._path)

    @property
    def _path(self) -> str:
        return repr(self._environ["PATH_INFO"])

    def _start(self, status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
        self._status, self._headers = status, headers

    def _so_far(self) -> bytes:
        body, self._body = b"".join(self._body), []
        if not body:
            return b""
        if self._begun:
            return self._framing(body)
        self._begun = True
        if self._modern:
            self._framed = True
            return self._head(("Transfer-Encoding", "chunked")) + self._framing(body)
        self.keep = False
        return self._head() + body

    def _rest(self) -> bytes:
        body = b"".join(self._body)
        if self._begun:
            last = self._framing(body) if body else b""
            return last + b"0\r\n\r\n" if self._framed else last
        self._begun = True
        if self._status[:3] in _BODILESS:
            return self._head()
        stated = any(name.lower() == "content-length" for name, _ in self._headers)
        head = self._head() if stated else self._head(("Content-Length", str(len(body))))
        return head if self._environ["REQUEST_METHOD"] == "HEAD" else head + body

    def _framing(self, body: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(body), body) if self._framed else body

    def _head(self, *more: tuple[str, str]) -> bytes:
        if not self.keep:
            more = (*more, ("Connection", "close"))
        elif not self._modern:
            more = (*more, ("Connection", "keep-alive"))
        return head(self._status, [*self._headers, *more])


def head(status: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Status line and headers."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    return f"HTTP/1.1 {status}\r\nDate: {_date(int(time.time()))}\r\n{lines}\r\n".encode("latin-1")


def plain_error(status: HTTPStatus, error: str | None = None) -> bytes:
    """What the server itself says, in the form that the APIs answer errors in; then it closes."""
    text = error or "internal error; see the log of this service"
    body = json.dumps({"error": text, "field": None}).encode() + b"\n"
    headers = (
        ("Content-Type", "application/json"),
        ("Cache-Control", "no-store"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
    )
    return head(f"{status.value} {status.phrase}", headers) + body


@functools.lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
