"""What every API of the system has in common: authentication, validation, errors, serving."""

from __future__ import annotations

import json
import logging
import socket
from typing import Any, TypeVar

import waitress.server
from flask import Flask, Response, g, jsonify, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import HTTPException

from nrs.api import auth
from nrs.config.common import Api

LARGEST_BODY = 64 * 1024
_THREADS = 8
_BACKLOG = 1024

log = logging.getLogger(__name__)
Body = TypeVar("Body", bound=BaseModel)


class ApiError(Exception):
    """An answer other than success: its status, what is wrong, and which field."""

    def __init__(self, status: int, error: str, field: str | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.field = field


def create_app(name: str, api: Api) -> Flask:
    """A Flask app that answers errors as `{"error", "field"}` and checks tokens first."""
    app = Flask(name, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.json.sort_keys = False  # type: ignore[attr-defined]

    @app.before_request
    def _authenticate() -> None:
        if request.method == "GET" and request.path == "/health":
            return
        access = auth.check(
            authorization=request.headers.get("Authorization"),
            remote=request.remote_addr,
            reading=request.method in {"GET", "HEAD"},
            token=api.bearer_token,
            trusted=api.trusted_networks,
        )
        if access is not auth.Access.GRANTED:
            raise ApiError(401, access.value)
        g.authenticated = True

    @app.errorhandler(ApiError)
    def _answer(error: ApiError) -> Response:
        response = jsonify({"error": error.error, "field": error.field})
        response.status_code = error.status
        if error.status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        text = f"the body is larger than {LARGEST_BODY} bytes" if error.code == 413 else error.name
        return _answer(ApiError(error.code or 500, text))

    @app.errorhandler(Exception)
    def _defect(error: Exception) -> Response:
        log.exception("request %s %s failed", request.method, request.path)
        return _answer(ApiError(500, "internal error; see the log of this service"))

    return app


def body(model: type[Body]) -> Body:
    """The request's JSON body as `model`. Raises ApiError 400 with the field, 413."""
    raw = request.get_data(cache=False)
    try:
        data = json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"the body is not valid JSON: {error}") from None
    if not isinstance(data, dict):
        raise ApiError(400, "the body must be a JSON object")
    return validated(data, model)


def validated(data: dict[str, Any], model: type[Body]) -> Body:
    """`data` as `model`. Raises ApiError 400 that names the first field at fault."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        loc = [str(part) for part in first["loc"]]
        known = [part for part in loc if not part.startswith(("function-", "IPv4", "IPv6"))]
        message = str(first["msg"]).removeprefix("Value error, ")
        raise ApiError(400, message, ".".join(known) or None) from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def listen(address: str, port: int) -> socket.socket:
    """A listening TCP socket; `::` serves IPv4 too. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


class HttpService:
    """Serves an app with waitress until `stop`; `run` blocks, `stop` may be called anywhere."""

    def __init__(self, app: Flask, listener: socket.socket) -> None:
        self._server: Any = waitress.server.create_server(
            app,
            sockets=[listener],
            threads=_THREADS,
            ident=None,
            max_request_body_size=2 * LARGEST_BODY,
            channel_timeout=30,
            clear_untrusted_proxy_headers=True,
        )

    def run(self) -> None:
        """Serve requests; returns after `stop`."""
        self._server.run()

    def stop(self) -> None:
        """Close the listener and let `run` return."""
        self._server.close()
