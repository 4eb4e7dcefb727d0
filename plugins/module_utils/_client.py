# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules' HTTP client: a token, several servers in turn, retries, one kind of error."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import time
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.nrs.network_routing.plugins.module_utils import _tls

ATTEMPTS = 3
FIRST_PAUSE_S = 0.3
_TRY_ANOTHER = frozenset({502, 503, 504})
_TRANSPORT = (http.client.HTTPException, OSError)


class ApiError(Exception):
    """No usable answer. `status` is None where no server answered at all."""

    def __init__(self, message: str, status: int | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.field = field


@dataclass(frozen=True)
class Connection:
    """Where the servers are and how to talk to them; `timeout` in seconds an attempt."""

    urls: Sequence[str]
    token: str | None = None
    timeout: float = 10.0
    validate_certs: bool = True
    ca_path: str | None = None


class Client:
    """Calls the servers in their order until one gives an answer.

    A request that changes nothing more when repeated is sent again, three
    rounds at most. One that might is sent on only while no server can have seen
    it.
    """

    def __init__(self, connection: Connection, sleep: Callable[[float], None] = time.sleep) -> None:
        self._connection = connection
        self._sleep = sleep

    def get(self, path: str, query: dict[str, str] | None = None) -> dict[str, Any]:
        """The JSON object that `GET path` answers. Raises ApiError."""
        suffix = "?" + urllib.parse.urlencode(query) if query else ""
        return self._call("GET", path + suffix, None, repeatable=True)

    def post(self, path: str, body: dict[str, Any], *, repeatable: bool = False) -> dict[str, Any]:
        """The JSON object that `POST path` answers. Raises ApiError."""
        return self._call("POST", path, json.dumps(body).encode(), repeatable=repeatable)

    def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The JSON object that `PUT path` answers. Raises ApiError."""
        return self._call("PUT", path, json.dumps(body).encode(), repeatable=True)

    def delete(self, path: str) -> dict[str, Any]:
        """The JSON object that `DELETE path` answers. Raises ApiError."""
        return self._call("DELETE", path, None, repeatable=True)

    def _call(
        self, method: str, path: str, data: bytes | None, *, repeatable: bool
    ) -> dict[str, Any]:
        failures: dict[str, ApiError] = {}
        for attempt in range(ATTEMPTS):
            if attempt:
                self._sleep(FIRST_PAUSE_S * 2 ** (attempt - 1))
            for url in self._connection.urls:
                try:
                    return self._once(method, url.rstrip("/") + path, data)
                except _Failure as failure:
                    failures[url] = failure.error
                    if not (failure.unseen or (repeatable and failure.passing)):
                        raise failure.error from None
        raise _all_of(list(failures.values()))

    def _once(self, method: str, url: str, data: bytes | None) -> dict[str, Any]:
        headers = {"Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        token = self._connection.token
        if token is not None:
            if not (token.isascii() and token.isprintable()):
                # The library's own error would show it.
                raise _Failure(ApiError("%s: the token is none that a header can carry" % url))
            headers["Authorization"] = "Bearer " + token
        try:
            parts = urllib.parse.urlsplit(url)
            target = urllib.parse.urlunsplit(("", "", parts.path, parts.query, ""))
            with contextlib.closing(self._connected(parts)) as server:
                # The token goes to the named server and nowhere else: no proxy, no redirect.
                server.request(method, target, data, headers)
                response = server.getresponse()
                body = response.read()
        except _TRANSPORT as error:
            unseen = isinstance(error, (ConnectionRefusedError, socket.gaierror))
            message = "%s: %s" % (url, self._why(error, parts))
            raise _Failure(ApiError(message), unseen=unseen, passing=True) from None
        except ValueError as error:
            raise _Failure(ApiError("%s: %s" % (url, error))) from None
        if not 200 <= response.status < 300:
            refusal = _refusal(url, response, body)
            raise _Failure(refusal, passing=response.status in _TRY_ANOTHER)
        return _decoded(url, body)

    def _connected(self, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        by = self._connection
        if not parts.hostname:
            raise ValueError("no host is named")
        if parts.scheme != "https":
            return http.client.HTTPConnection(parts.hostname, parts.port, timeout=by.timeout)
        context = _tls.context(by.ca_path, by.validate_certs)
        return http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=by.timeout, context=context
        )

    def _why(self, error: Exception, parts: urllib.parse.SplitResult) -> str:
        by = self._connection
        # socket.timeout is another class than TimeoutError before Python 3.10
        if isinstance(error, (TimeoutError, socket.timeout)):
            return "no answer in time"
        if isinstance(error, ssl.SSLCertVerificationError):
            dates = _tls.dates_at(parts.hostname or "", parts.port or 443, by.timeout)
            return "the certificate%s is not trusted by %s: %s" % (
                " (good from %s)" % dates if dates else "",
                by.ca_path or "the public CAs, as ca_path is not set",
                error.verify_message,
            )
        return str(error) or type(error).__name__


class _Failure(Exception):
    """One attempt failed: whether the server saw the request, and whether another may help."""

    def __init__(self, error: ApiError, *, unseen: bool = False, passing: bool = False) -> None:
        super().__init__(str(error))
        self.error = error
        self.unseen = unseen
        self.passing = passing


def _decoded(url: str, body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError as error:
        text = "%s answered something that is not JSON: %s" % (url, error)
        raise _Failure(ApiError(text)) from None
    if not isinstance(answer, dict):
        raise _Failure(ApiError("%s answered JSON that is not an object" % url))
    return answer


def _refusal(url: str, response: http.client.HTTPResponse, body: bytes) -> ApiError:
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    stated = answer if isinstance(answer, dict) else {}
    field = stated.get("field")
    text = "%s answered %d: %s" % (url, response.status, stated.get("error") or response.reason)
    if field:
        text += " (field %s)" % field
    return ApiError(text, response.status, str(field) if field else None)


def _all_of(errors: list[ApiError]) -> ApiError:
    if len(errors) == 1:
        return errors[0]
    return ApiError("; ".join(str(error) for error in errors))
