"""JSON as the APIs take it: RFC 8259 to the letter, an object, and nothing ambiguous.

Python's parser also takes NaN, infinities, numbers too large for a float, a key given
twice and halves of surrogate pairs. None of them survives another parser or a database
unchanged, so each is refused here, with the field that holds it.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")
DEEPEST = 32
"""How many objects and arrays may be nested."""


class JsonError(ValueError):
    """What is wrong with a document, and the field at fault where one can be named."""

    def __init__(self, error: str, field: str | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.field = field


def parse_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in `raw`. Raises JsonError."""
    try:
        data = json.loads(raw.decode("utf-8"), object_pairs_hook=_distinct)
    except JsonError:
        raise
    except (ValueError, RecursionError) as error:
        raise JsonError(f"the body is not valid JSON: {error}") from None
    if not isinstance(data, dict):
        raise JsonError("the body must be a JSON object")
    _check(data, "", DEEPEST)
    return data


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise JsonError("a key is given twice", twice)
    return result


def _check(value: Any, path: str, levels_left: int) -> None:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise JsonError("must be a finite number", path)
    elif isinstance(value, str):
        if _has_lone_surrogate(value):
            raise JsonError("holds half of a surrogate pair", path)
    elif isinstance(value, (dict, list)):
        if levels_left == 0:
            raise JsonError(f"the body is nested deeper than {DEEPEST} levels", path)
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            if isinstance(key, str) and _has_lone_surrogate(key):
                raise JsonError("a key holds half of a surrogate pair", path or None)
            _check(item, f"{path}.{key}" if path else str(key), levels_left - 1)


def _has_lone_surrogate(text: str) -> bool:
    return _SURROGATE.search(text) is not None
