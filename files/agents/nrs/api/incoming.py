"""Bytes of a connection become requests, as PEP 3333 describes them to an app.

httptools (llhttp) parses; what is refused here is answered by the server, not by the app.
"""

from __future__ import annotations

import functools
import io
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

import httptools

LARGEST_BODY = 64 * 1024
"""Bytes of a request body; a larger one is answered 413."""
LARGEST_OF_PROVED = 1024 * 1024
"""The same on a connection that has proved a credential."""

_LARGEST_HEAD = 32 * 1024
_MESSAGE_FOR_BODY = 8
"""How much longer a message may be, with its head, chunks of one byte each, and trailers."""
_UNPREFIXED = {"CONTENT_TYPE", "CONTENT_LENGTH"}


@dataclass(frozen=True)
class Request:
    """One that is whole: what an app is called with, and whether the connection may be kept."""

    environ: dict[str, Any]
    keep: bool


class Refused(Exception):
    """What the server itself answers, and then reads no more."""

    def __init__(self, status: HTTPStatus, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


class Incoming:
    """Of one connection; `base` is the part of the environ that all its requests share."""

    def __init__(self, base: Mapping[str, Any]) -> None:
        self._base = base
        self._parser = httptools.HttpRequestParser(self)
        self.whole: deque[Request] = deque()
        """Requests that nobody has taken yet."""
        self.within = False
        """Whether a request has begun and is not whole."""
        self.expects = False
        """Whether its sender waits for 100 Continue."""
        self.largest_body = LARGEST_BODY
        self._refused: Refused | None = None
        self._head_size = self._size = 0
        self._in_head = True
        self.on_message_begin()
        self.within = False

    def feed(self, data: bytes) -> None:
        """Take what has arrived. Raises Refused; requests before that are still in `whole`."""
        self._size += len(data)
        if self._in_head:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Nothing is offered to change to: the request is answered as it is, the last one.
            pass
        except httptools.HttpParserError as error:
            raise self._refused or Refused(
                HTTPStatus.BAD_REQUEST, f"Bad Request: {str(error) or 'not HTTP'}"
            ) from None
        if self._in_head and self.within and self._head_size >= _LARGEST_HEAD:
            raise Refused(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                f"the header is larger than {_LARGEST_HEAD} bytes",
            )

        if self.within and self._size > _MESSAGE_FOR_BODY * self.largest_body:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_large(self.largest_body))

    # -- called by the parser

    def on_message_begin(self) -> None:
        self.within = True
        self._size = 0
        self._environ = dict(self._base)
        self._url = b""
        self._body = bytearray()
        self._in_head = True

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        key = _key(name)
        # A trailer is no header (RFC 9110, section 6.5.1).
        if key is None or not self._in_head:
            return
        text = value.decode("latin-1")
        before = self._environ.get(key)
        self._environ[key] = text if before is None else f"{before},{text}"

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_size = 0
        environ = self._environ
        coding = environ.pop("HTTP_TRANSFER_ENCODING", None)
        if coding is not None and coding.strip().lower() != "chunked":
            self._refuse(HTTPStatus.NOT_IMPLEMENTED, f"Transfer-Encoding {coding!r} is not known")
        length = environ.get("CONTENT_LENGTH")
        if length is not None and int(length) > self.largest_body:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_large(self.largest_body))
        expected = environ.pop("HTTP_EXPECT", "").lower() == "100-continue"
        # Without a body there is nothing to wait for (RFC 9110, section 10.1.1).
        self.expects = expected and (coding is not None or length not in {None, "0"})

    def on_body(self, body: bytes) -> None:
        self.expects = False
        if len(self._body) + len(body) > self.largest_body:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_large(self.largest_body))
        self._body += body

    def on_message_complete(self) -> None:
        environ = self._environ
        path, _, query = self._url.partition(b"?")
        if not path.startswith(b"/") and path != b"*":
            # The absolute form (RFC 9112, section 3.2.2).
            path = b"/" + path.partition(b"://")[2].partition(b"/")[2]
        if b"%" in path:
            path = unquote_to_bytes(path)
        version = self._parser.get_http_version()
        environ["REQUEST_METHOD"] = self._parser.get_method().decode("latin-1")
        environ["PATH_INFO"] = path.decode("latin-1")
        environ["QUERY_STRING"] = query.decode("latin-1")
        environ["SERVER_PROTOCOL"] = f"HTTP/{version}"
        environ["wsgi.input"] = io.BytesIO(self._body)
        if self._body:
            environ["CONTENT_LENGTH"] = str(len(self._body))
        parser = self._parser
        changes = parser.should_upgrade() or "HTTP_UPGRADE" in environ
        keep = parser.should_keep_alive() and not changes
        self.whole.append(Request(environ, keep))
        self.within = self.expects = False

    def _refuse(self, status: HTTPStatus, error: str) -> None:
        self._refused = Refused(status, error)
        raise self._refused


def too_large(most: int) -> str:
    """What the sender of a larger body is told."""
    return f"the body is larger than {most} bytes"


@functools.lru_cache(maxsize=1024)
def _key(name: bytes) -> str | None:
    """The environ's key for a header; None for one that could pass for another."""
    if b"_" in name:
        return None
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in _UNPREFIXED else f"HTTP_{key}"
