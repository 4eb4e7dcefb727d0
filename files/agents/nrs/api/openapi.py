"""An app's OpenAPI 3.1 document, made of its routes and of the models that they check with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from flask import Flask
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from nrs.api import operation
from nrs.api.answers import Refusal
from nrs.api.operation import Operation
from nrs.config.types import Name

_REF = "#/components/schemas/{model}"
_METHODS = ("get", "post", "put", "delete")
_SCHEMES = {"bearer": {"type": "http", "scheme": "bearer"}}
_NAME_SCHEMA = TypeAdapter(Name).json_schema()
Mode = Literal["validation", "serialization"]


def document(app: Flask, title: str, version: str) -> dict[str, Any]:
    """The document of every declared operation of `app`."""
    operations = list(_operations(app))
    used: list[tuple[type[BaseModel], Mode]] = [(Refusal, "serialization")]
    for _, _, found in operations:
        if found.body is not None:
            used.append((found.body, "validation"))
        if found.answer is not None:
            used.append((found.answer, "serialization"))
    refs, schemas = models_json_schema(list(dict.fromkeys(used)), ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for rule, method, found in operations:
        path = rule.rule.replace("<", "{").replace(">", "}")
        paths.setdefault(path, {})[method] = _described(rule, method, found, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {"schemas": schemas.get("$defs", {}), "securitySchemes": _SCHEMES},
    }


def _operations(app: Flask) -> Iterator[tuple[Rule, str, Operation]]:
    for rule in app.url_map.iter_rules():
        found = operation.of(app.view_functions[rule.endpoint])
        if found is None:
            continue
        for method in _METHODS:
            if method.upper() in (rule.methods or ()):
                yield rule, method, found


def _described(rule: Rule, method: str, found: Operation, refs: Any) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": rule.endpoint,
        "summary": found.summary,
        "parameters": [*map(_path_parameter, sorted(rule.arguments)), *_query(found.query)],
        "responses": _responses(rule, method, found, refs),
        "security": [] if found.open else [{"bearer": []}],
    }
    if found.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": _json(refs[found.body, "validation"]),
        }
    return described


def _path_parameter(parameter: str) -> dict[str, Any]:
    return {"name": parameter, "in": "path", "required": True, "schema": _NAME_SCHEMA}


def _query(model: type[BaseModel] | None) -> Iterator[dict[str, Any]]:
    if model is None:
        return
    schema = model.model_json_schema(ref_template=_REF)
    for parameter, described in schema["properties"].items():
        yield {
            "name": parameter,
            "in": "query",
            "required": parameter in schema.get("required", ()),
            # Lists are separated by commas.
            "style": "form",
            "explode": False,
            "schema": described,
        }


def _responses(rule: Rule, method: str, found: Operation, refs: Any) -> dict[str, Any]:
    content = (
        {"text/plain": {"schema": {"type": "string"}}}
        if found.answer is None
        else _json(refs[found.answer, "serialization"])
    )
    refused = dict(found.refused)
    if rule.arguments or found.body is not None or found.query is not None:
        refused.setdefault(400, "a parameter or field is missing, unknown or impossible")
    if not found.open:
        refused.setdefault(401, "no bearer token, or a wrong one")
        refused.setdefault(403, "the token is not for this; the error says what it is for")
    if found.body is not None:
        refused.setdefault(413, "the body is too large")
        refused.setdefault(415, "the body is not stated to be application/json")
    refused.setdefault(421, "the service is not called what Host says")
    refused.setdefault(500, "a defect")
    responses: dict[str, Any] = {"200": {"description": found.summary, "content": content}}
    if found.created is not None:
        responses["201"] = {"description": found.created, "content": content}
    if found.degraded is not None:
        responses["503"] = {"description": found.degraded, "content": content}
    for status, when in sorted(refused.items()):
        error = _json(refs[Refusal, "serialization"])
        responses[str(status)] = {"description": when, "content": error}
    return responses


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
