"""Load a YAML configuration file into its model, or say exactly what is wrong with it."""

from __future__ import annotations

import typing
from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)

_SECRET_KEYS = {"psk", "default_psk", "token"}


class ConfigError(Exception):
    """A configuration file that cannot be used; the text is one line per problem."""


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice, which YAML would silently merge."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    loader.flatten_mapping(node)
    result: dict[Hashable, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in result:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {key!r} is given twice", key_node.start_mark
            )
        result[key] = loader.construct_object(value_node, deep=True)
    return result


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_mapping(path: Path) -> dict[str, Any]:
    """Parse `path` as a YAML mapping. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text at byte {error.start}") from None
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{path}{line}: {error.problem}") from None
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: must be a mapping of sections, found {type(data).__name__}")
    return data


def load(path: Path, model: type[Model]) -> Model:
    """Load `path` into `model`. Raises ConfigError with a line for every problem."""
    return build(read_mapping(path), model, str(path))


def build(data: dict[str, Any], model: type[Model], source: str) -> Model:
    """Validate `data` against `model`; `source` is named in every problem."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = (_problem(item, model) for item in error.errors(include_url=False))
        raise ConfigError("\n".join(f"{source}: {p}" for p in problems)) from None


def _problem(item: Any, model: type[BaseModel]) -> str:
    loc = tuple(part for part in item["loc"] if not _is_type_tag(part))
    key = ".".join(f"[{p}]" if isinstance(p, int) else str(p) for p in loc).replace(".[", "[")
    message = str(item["msg"]).removeprefix("Value error, ")
    kind = item["type"]
    if kind == "missing":
        return f"{key}: is required"
    if kind == "extra_forbidden":
        return f"{key}: unknown key; allowed here: {', '.join(_allowed(model, loc[:-1]))}"
    if isinstance(item["input"], (dict, list)) or _SECRET_KEYS & {str(p) for p in loc}:
        return f"{key}: {message}" if key else message
    return f"{key}: found {item['input']!r}: {message}"


def _is_type_tag(part: int | str) -> bool:
    """Whether pydantic put this part in to name the member of a union, not a key."""
    return isinstance(part, str) and (
        part.startswith(("IPv4", "IPv6", "function-", "is-instance"))
        or part in {"str", "int", "float", "bool"}
        or "[" in part
    )


def _allowed(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    current: Any = model
    for part in loc:
        if isinstance(part, str):
            current = _section(current.model_fields[part].annotation)
    return sorted(current.model_fields)


def _section(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in typing.get_args(annotation):
        found = _section(argument)
        if found is not None:
            return found
    return None
