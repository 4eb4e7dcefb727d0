"""Load a YAML configuration file into its model, or say exactly what is wrong with it."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)

_SECRET_KEYS = {"psk", "previous_psk", "device_key", "default_psk", "token"}


class ConfigError(Exception):
    """A configuration file that cannot be used; the text is one line per problem."""


@dataclass(frozen=True)
class Pushed:
    """A version of what the controller has pushed; version 0 is none at all."""

    version: int = 0
    config: dict[str, Any] = field(default_factory=dict)


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice, which YAML would silently merge."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    own = {id(key_node) for key_node, _ in node.value}
    loader.flatten_mapping(node)
    result: dict[str, Any] = {}
    given: set[str] = set()
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise _at(key_node, f"the key {key!r} must be text")
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
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
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
    pushed: Pushed = Pushed(),
    *,
    read: Callable[[Path], dict[str, Any]] = read_mapping,
) -> Model:
    """The file at `path` with `pushed` over it. Raises ConfigError, a line for each problem."""
    source = f"{path} with pushed version {pushed.version}" if pushed.version else str(path)
    return build(merge(read(path), pushed.config), model, source)


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the keys of `over`; mappings are merged, everything else is replaced."""
    result = dict(base)
    for key, value in over.items():
        present = result.get(key)
        if isinstance(present, Mapping) and isinstance(value, Mapping):
            result[key] = merge(present, value)
        else:
            result[key] = value
    return result


def build(data: dict[str, Any], model: type[Model], source: str) -> Model:
    """Validate `data` against `model`; `source` is named in every problem."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = (_problem(item, model) for item in error.errors(include_url=False))
        raise ConfigError("\n".join(f"{source}: {p}" for p in problems)) from None


def _problem(item: Any, model: type[BaseModel]) -> str:
    kind = item["type"]
    loc, section = _keys(item["loc"], model)
    if kind == "extra_forbidden":
        loc = [*loc, item["loc"][-1]]
    key = ".".join(f"[{p}]" if isinstance(p, int) else str(p) for p in loc).replace(".[", "[")
    message = str(item["msg"]).removeprefix("Value error, ")
    if kind == "missing":
        return f"{key}: is required"
    if kind == "extra_forbidden":
        return f"{key}: unknown key; allowed here: {', '.join(sorted(section.model_fields))}"
    if kind == "model_type":
        return f"{key}: must be a mapping of keys to values"
    if isinstance(item["input"], (dict, list)) or _SECRET_KEYS & {str(p) for p in loc}:
        return f"{key}: {message}" if key else message
    return f"{key}: found {item['input']!r}: {message}"


def _keys(
    loc: tuple[int | str, ...], model: type[BaseModel]
) -> tuple[list[int | str], type[BaseModel]]:
    """The parts of `loc` that stand in the file, and the innermost section they lead to.

    pydantic names the members of a union in `loc` too.
    """
    section: type[BaseModel] = model
    keys: list[int | str] = []
    for part in loc:
        if isinstance(part, int):
            keys.append(part)
        elif part in section.model_fields:
            keys.append(part)
            section = _section(section.model_fields[part].annotation) or section
    return keys, section


def _section(annotation: Any) -> type[BaseModel] | None:
    """The section that a field of type `annotation` holds, alone or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_section(argument) for argument in typing.get_args(annotation))
    return next((section for section in found if section is not None), None)
