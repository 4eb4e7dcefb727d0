"""What an operation of an API takes and answers: declared once, checked with, and published.

A view is declared with its body, query and answer. It is called with what has been checked
against these models, and `openapi.document` describes the same models to whoever asks.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import unquote_plus

from flask import Flask, request
from pydantic import BaseModel, ValidationError

from nrs.api import service
from nrs.api.access import OPERATORS, Access
from nrs.api.incoming import LARGEST_BODY
from nrs.api.service import ApiError
from nrs.config.types import as_name

_ATTRIBUTE = "nrs_operation"

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Operation:
    """One method of one path. Path parameters are names; an answer of None is plain text."""

    summary: str
    answer: type[BaseModel] | None
    body: type[BaseModel] | None = None
    largest_body: int = LARGEST_BODY
    """Bytes; more than LARGEST_BODY takes a connection that has proved a credential before."""
    query: type[BaseModel] | None = None
    refused: Mapping[int, str] = field(default_factory=dict)
    """Further statuses, and when they are answered."""
    created: str | None = None
    """When it is answered 201 in place of 200."""
    degraded: str | None = None
    """When it is answered 503 in place of 200."""
    access: Access = OPERATORS
    """Who may call it beside operators."""
    open: bool = False
    """Whether it needs no token."""
    brief: bool = False
    """Whether its view never blocks, and takes no longer than a change of threads."""


def takes(operation: Operation) -> Callable[[View], Callable[..., Any]]:
    """Call the view with its path parameters, and `body` and `query` where declared, all checked.

    What does not fit is answered 400 with the field at fault.
    """

    known = frozenset(operation.query.model_fields if operation.query is not None else ())
    access = operation.access

    def declare(view: View) -> Callable[..., Any]:
        @functools.wraps(view)
        def checked(**parameters: str) -> Any:
            given: dict[str, Any] = {
                parameter: name(text, parameter) for parameter, text in parameters.items()
            }
            # Before the body is read where that does not say who is meant.
            admitted = operation.open or access.own is None or access.own in given
            if admitted and not operation.open:
                service.admit(access, given.get)
            if operation.query is not None:
                given["query"] = _query(operation.query, known)
                if not admitted and access.own in known:
                    service.admit(access, functools.partial(getattr, given["query"]))
                    admitted = True
            if operation.body is not None:
                given["body"] = service.body(operation.body, operation.largest_body)
                if not admitted:
                    service.admit(access, functools.partial(getattr, given["body"]))
                    admitted = True
            if not admitted:
                service.admit(access, given.get)
            return view(**given)

        setattr(checked, _ATTRIBUTE, operation)
        return checked

    return declare


def of(view: Callable[..., Any]) -> Operation | None:
    """What `view` was declared with, if it was."""
    found: Operation | None = getattr(view, _ATTRIBUTE, None)
    return found


def brief(app: Flask) -> Callable[[str], bool]:
    """Tells by method and path, as in `GET /health`, whether a view of `app` is brief."""
    begins = tuple(
        f"{method} {rule.rule.partition('<')[0]}"
        for rule in app.url_map.iter_rules()
        if (found := of(app.view_functions[rule.endpoint])) is not None and found.brief
        for method in (rule.methods or ())
    )
    return lambda line: line.startswith(begins)


def name(text: str, parameter: str) -> str:
    """`text` as a name. Raises ApiError 400 that names `parameter`."""
    try:
        return as_name(text)
    except ValueError as error:
        raise ApiError(400, str(error), parameter) from None


def _query(model: type[BaseModel], known: Set[str]) -> BaseModel:
    """The query parameters that are `known`, each a text, or a list where it is repeated.

    `request.args` would be half of the time of a decision.
    """
    stated: dict[str, Any] = {}
    for part in request.environ.get("QUERY_STRING", "").split("&"):
        key, _, text = part.partition("=")
        # A comma is most of what is quoted.
        value = text.replace("%2C", ",")
        if "%" in value or "+" in value:
            value = unquote_plus(value)
        if key in stated:
            before = stated[key]
            stated[key] = [*before, value] if isinstance(before, list) else [before, value]
        elif key in known:
            stated[key] = value
    try:
        return model.model_validate(stated)
    except ValidationError as error:
        refused = service.refusal(error)
        # Of a list the parameter is at fault: its items have no names in a URL.
        parameter = (refused.field or "").partition(".")[0]
        raise ApiError(400, refused.error, parameter or None) from None
