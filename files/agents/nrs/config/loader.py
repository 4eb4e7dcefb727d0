"""Load a YAML configuration file into its model, or say exactly what is wrong with it."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, SecretStr, ValidationError

from nrs.config.overlay import OverlayRefused, shown
from nrs.config.scalars import Misread, PlainLoader

Model = TypeVar("Model", bound=BaseModel)
Lay = Callable[[Model, dict[str, Any], Mapping[str, Any]], dict[str, Any]]
"""A file's model, its content and what is pushed to their sum. Raises OverlayRefused."""

_NUMBERS = {"int_type": "a whole number", "float_type": "a number"}
_LIMITS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
_TEXTS = {"string_type", "path_type", "value_error"}


class ConfigError(Exception):
    """A configuration file that cannot be used; the text is one line per problem."""


@dataclass(frozen=True)
class Pushed:
    """A version of what the controller has pushed; version 0 is none at all."""

    version: int = 0
    config: dict[str, Any] = field(default_factory=dict)


class _Loader(PlainLoader):
    """Plain YAML that refuses a key given twice, which YAML would silently merge."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    own = {id(key_node) for key_node, _ in node.value}
    loader.flatten_mapping(node)
    result: dict[str, Any] = {}
    given: set[str] = set()
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise _at(key_node, f"the key {_as_written(key)} must be text")
        if key in given:
            raise _at(key_node, f"key {key!r} is given twice")
        if id(key_node) in own:
            given.add(key)
        result[key] = loader.construct_object(value_node, deep=True)
    return result


def _at(node: yaml.Node, problem: str) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


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
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader  # nosec B506
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{path}{line}: {error.problem}") from None
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None
    if data is None:
        raise ConfigError(f"{path}: is empty")
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: must be a mapping of sections, found {type(data).__name__}")
    return data


def load(
    path: Path,
    model: type[Model],
    *,
    read: Callable[[Path], dict[str, Any]] = read_mapping,
) -> Model:
    """The file at `path`. Raises ConfigError, a line for each problem."""
    return build(read(path), model, str(path))


def load_pushed(
    path: Path,
    model: type[Model],
    pushed: Pushed,
    lay: Lay[Model],
    *,
    read: Callable[[Path], dict[str, Any]] = read_mapping,
) -> Model:
    """The file at `path` with `pushed` over it, as `lay` lets it be.

    Raises ConfigError, a line for each problem, also where the file is no good by itself.
    """
    data = read(path)
    config = build(data, model, str(path))
    if not pushed.config:
        return config
    source = f"{path} with pushed version {pushed.version}"
    try:
        return build(lay(config, data, pushed.config), model, source)
    except OverlayRefused as refused:
        raise ConfigError(f"{source}: {refused.field}: {refused}") from None


def build(data: dict[str, Any], model: type[Model], source: str) -> Model:
    """Validate `data` against `model`; `source` is named in every problem."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = (_problem(item, model, data) for item in error.errors(include_url=False))
        raise ConfigError("\n".join(f"{source}: {p}" for p in problems)) from None


def _problem(item: Any, model: type[BaseModel], data: Any) -> str:
    kind, found = item["type"], item["input"]
    loc, section, secret = _keys(item["loc"], model, data)
    key = ".".join(f"[{p}]" if isinstance(p, int) else shown((p,)) for p in loc).replace(".[", "[")
    if kind == "missing":
        return f"{key}: is required"
    if kind == "extra_forbidden":
        return f"{key}: unknown key; allowed here: {', '.join(sorted(section.model_fields))}"
    if kind == "model_type":
        return f"{key}: must be a mapping of keys to values"
    message = _allowed(kind, item, section, loc)
    if isinstance(found, (dict, list)) or secret:
        return f"{key}: {message}" if key else message
    meaning = f", which YAML reads as {found.meaning}" if isinstance(found, Misread) else ""
    return f"{key}: found {_as_written(found)}{meaning}: {message}"


def _allowed(kind: str, item: Any, section: type[BaseModel], loc: list[int | str]) -> str:
    """What is allowed where `item` was found."""
    if kind in _NUMBERS:
        field = next(section.model_fields[p] for p in reversed(loc) if p in section.model_fields)
        limits = dict.fromkeys(_limits((field.annotation, *field.metadata)))
        return ", ".join((f"must be {_NUMBERS[kind]}", *limits, "in decimal digits without quotes"))
    message = str(item["msg"]).removeprefix("Value error, ")
    is_text = isinstance(item["input"], (str, dict, list, type(None)))
    return message if is_text or kind not in _TEXTS else f"{message}; text goes in quotes"


def _limits(parts: tuple[Any, ...]) -> Iterator[str]:
    """The limits of a number in the parts of its annotation, such as `at least 1`."""
    for part in parts:
        for name, word in _LIMITS.items():
            if hasattr(part, name):
                yield f"{word} {getattr(part, name)}"
        yield from _limits((*typing.get_args(part), *getattr(part, "metadata", ())))


def _as_written(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _keys(
    loc: tuple[int | str, ...], model: type[BaseModel], data: Any
) -> tuple[list[int | str], type[BaseModel], bool]:
    """The parts of `loc` that stand in the file, or should, the section they lead to, and whether
    what stands there is a secret.

    pydantic names the members of a union in `loc` too.
    """
    section: type[BaseModel] = model
    keys: list[int | str] = []
    secret = False
    for part in loc:
        field = section.model_fields.get(str(part))
        if isinstance(part, int) or field or (isinstance(data, Mapping) and part in data):
            keys.append(part)
            data = _inside(data, part)
        if field:
            section = _section(field.annotation) or section
            secret = secret or _is_secret(field.annotation)
    return keys, section, secret


def _inside(data: Any, part: int | str) -> Any:
    try:
        return data[part]
    except (KeyError, IndexError, TypeError):
        return None


def _is_secret(annotation: Any) -> bool:
    """Whether a field of type `annotation` holds secrets, perhaps several by name."""
    return annotation is SecretStr or any(map(_is_secret, typing.get_args(annotation)))


def _section(annotation: Any) -> type[BaseModel] | None:
    """The section that a field of type `annotation` holds, alone or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_section(argument) for argument in typing.get_args(annotation))
    return next((section for section in found if section is not None), None)
