"""What every API of the system has in common: authentication, validation, errors."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from flask import Flask, Request, Response, jsonify, request
from flask.json.provider import DefaultJSONProvider
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter, Rule
from werkzeug.wsgi import get_host

from nrs.api import sources
from nrs.api.access import Access, Caller
from nrs.api.access import refusal as why_not
from nrs.api.auth import Trust, Unidentified
from nrs.api.incoming import LARGEST_BODY, LARGEST_OF_PROVED, too_large
from nrs.api.strict_json import JsonError, parse_object

HEALTH = "/health"
"""The path that needs no token."""

_TRUST = "nrs_trust"
_CALLER = "nrs.caller"

log = logging.getLogger(__name__)
Body = TypeVar("Body", bound=BaseModel)
Raised = TypeVar("Raised", bound=Exception)


class ApiError(Exception):
    """An answer other than success: its status, what is wrong, and which field."""

    def __init__(self, status: int, error: str, field: str | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.field = field


UNCACHED = {"Cache-Control": "no-store"}
"""Headers of every answer."""


class _App(Flask):
    """Flask without signals, sessions and teardown functions, a tenth of a decision's time."""

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        super().__init__(name, static_folder=None)
        self._clock = clock

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view is a coroutine; to find that out for each costs more than a decision."""
        return func

    def full_dispatch_request(self) -> Response:
        """A view's answer, or that to what it or the check of the token raises."""
        try:
            self._authenticate(request.environ)
            answer = self.preprocess_request() if self.before_request_funcs else None
            if answer is None:
                answer = self.dispatch_request()
        except Exception as error:
            answer = self.handle_user_exception(error)
        return self.finalize_request(answer)

    def finalize_request(self, rv: Any, from_error_handler: bool = False) -> Response:
        """A dict is what almost every view returns."""
        response = jsonify(rv) if type(rv) is dict else self.make_response(rv)
        return self.process_response(response) if self.after_request_funcs else response

    def _authenticate(self, stated: dict[str, Any]) -> None:
        trusted = trust_in(self)
        if sources.is_refused(stated.get("REMOTE_ADDR"), trusted.refused):
            raise ApiError(403, sources.REFUSED)
        reading = stated["REQUEST_METHOD"] in {"GET", "HEAD"}
        if reading and stated["PATH_INFO"] == HEALTH:
            return
        if not trusted.serves_as(stated.get("HTTP_HOST", "")):
            raise ApiError(421, "this service is not called that; see urls in its file", "Host")
        authorization, remote = stated.get("HTTP_AUTHORIZATION"), stated.get("REMOTE_ADDR")
        try:
            found = trusted.identify(
                authorization=authorization, remote=remote, reading=reading, now=self._clock()
            )
        except Unidentified as error:
            if authorization is not None:
                stated.get("nrs.refused", _nobody)(remote)
            raise ApiError(401, str(error)) from None
        stated[_CALLER] = found
        if authorization is not None:
            shared = f"the token, from {remote}"
            key = shared if found.credential is None else found.credential.serial
            stated.get("nrs.verified", _nobody)(key)

    def do_teardown_request(self, exc: BaseException | None = None) -> None:
        """There is nothing to be done after an answer."""

    def do_teardown_appcontext(self, exc: BaseException | None = None) -> None:
        """There is nothing to be done after an answer."""

    def add_url_rule(self, *arguments: Any, **options: Any) -> None:
        """As Flask does."""
        super().add_url_rule(*arguments, **options)
        vars(self).pop("_named", None)

    @functools.cached_property
    def _named(self) -> dict[tuple[str, str], tuple[Rule, str]]:
        """Rules such as `/decision/<endpoint_id>`, where none but them begin so, by how they do."""
        rules = list(self.url_map.iter_rules())
        found: dict[tuple[str, str], tuple[Rule, str]] = {}
        for rule in rules:
            begin, _, parameter = rule.rule.partition("/<")
            alone = sum(other.rule.startswith(f"{begin}/") for other in rules) == 1
            if alone and parameter[:-1].isidentifier():
                found |= {(method, begin): (rule, parameter[:-1]) for method in rule.methods or ()}
        return found

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Paths are all that routes go by here; the Host header is checked as Flask does.

        werkzeug's way to a rule, through all that there are, is as long as to a decision.
        """
        if request is None:
            return None
        environ = request.environ
        begin, _, name = request.path.rpartition("/")
        named = self._named.get((environ["REQUEST_METHOD"], begin))
        if named is not None and name:
            rule, parameter = named
            request.url_rule, request.view_args = rule, {parameter: name}
            return None
        return MapAdapter(
            self.url_map,
            server_name=get_host(environ),
            script_name=environ.get("SCRIPT_NAME", ""),
            subdomain="",
            url_scheme=environ["wsgi.url_scheme"],
            path_info=request.path,
            default_method=environ["REQUEST_METHOD"],
            query_args=environ.get("QUERY_STRING", ""),
        )


class _Answer(Response):
    """A JSON body that is there as a whole, sent as it is.

    werkzeug copies an answer's headers and looks for those to correct; here all are set.
    """

    def __init__(self, body: bytes) -> None:
        super().__init__(body, content_type="application/json")
        for name, value in UNCACHED.items():
            self.headers.add(name, value)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        start_response(self.status, list(self.headers))
        return () if environ["REQUEST_METHOD"] == "HEAD" else self.iter_encoded()


class _Json(DefaultJSONProvider):
    """Writes answers with pydantic's encoder, which takes a fraction of the time of Python's."""

    def response(self, *args: Any, **kwargs: Any) -> Response:
        answer = to_json(self._prepare_response_obj(args, kwargs))
        return _Answer(answer + b"\n")


def create_app(
    name: str,
    trust: Trust,
    refused: Callable[[ApiError], None] = lambda error: None,
    clock: Callable[[], float] = time.time,
) -> Flask:
    """A Flask app that answers errors as `{"error", "field"}` and checks tokens first.

    `refused` is called with each error that is answered, in the request's context; `clock` gives
    seconds since the epoch.
    """
    app = _App(name, clock)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_OF_PROVED
    # What there is to ask is told to those who read /openapi.json.
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.json = _Json(app)
    # A redirect to the path without the double slash would lose the body of a POST.
    app.url_map.merge_slashes = False
    believe(app, trust)

    @app.errorhandler(ApiError)
    def _answer(error: ApiError) -> Response:
        refused(error)
        response = jsonify({"error": error.error, "field": error.field})
        response.status_code = error.status
        if error.status == 403:
            request.environ.get("nrs.denied", _nobody)()
        if error.status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        text = too_large(LARGEST_OF_PROVED) if error.code == 413 else error.name
        response = _answer(ApiError(error.code or 500, text))
        if allowed := getattr(error, "valid_methods", None):
            response.headers["Allow"] = ", ".join(sorted(allowed))
        return response

    @app.errorhandler(Exception)
    def _defect(error: Exception) -> Response:
        log.exception("request %s %s failed", request.method, request.path)
        return _answer(ApiError(500, "internal error; see the log of this service"))

    return app


def _nobody(*said: object) -> None:
    """Where an app is called without a server."""


def answer_as(app: Flask, kind: type[Raised], answer: Callable[[Raised], ApiError]) -> None:
    """Answer what a view of `app` raises of `kind` as `answer` says."""
    app.register_error_handler(kind, lambda error: app.handle_user_exception(answer(error)))


def believe(app: Flask, trust: Trust) -> None:
    """Let `app` go by `trust` from the next request on."""
    app.extensions[_TRUST] = trust


def trust_in(app: Flask) -> Trust:
    """Whom `app` believes now."""
    found: Trust = app.extensions[_TRUST]
    return found


def caller() -> Caller:
    """Who sent the request that is being answered."""
    found: Caller = request.environ[_CALLER]
    return found


def admit(access: Access, stated: Callable[[str], object]) -> None:
    """Go on for those who may. Raises ApiError 403; `stated` is as in `access.refusal`."""
    error = why_not(caller(), access, stated)
    if error is not None:
        raise ApiError(403, error, access.own)


def body(model: type[Body], largest: int = LARGEST_BODY) -> Body:
    """The request's JSON body, of `largest` bytes at most, as `model`.

    Raises ApiError 400 with the field, 413, 415.

    What is not stated to be JSON may come from a form on anybody's page, without a question.
    """
    data = request.get_data(cache=False)
    if len(data) > largest:
        raise ApiError(413, too_large(largest))
    media_type = request.environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if data and media_type != "application/json":
        raise ApiError(415, "the body must be application/json", "Content-Type")
    try:
        return model.model_validate(parse_object(data))
    except JsonError as error:
        raise ApiError(400, error.error, error.field) from None
    except ValidationError as error:
        raise refusal(error) from None


def refusal(error: ValidationError) -> ApiError:
    """The answer 400 that names the first field at fault."""
    first = error.errors(include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    message = str(first["msg"]).removeprefix("Value error, ")
    return ApiError(400, message, field or None)
