"""Scalars that YAML 1.1 reads otherwise than people do.

    0755  493      1:20    80        1_000  1000     0b11        3
    0x1f  31       1:20.5  80.5      .inf   inf      2026-01-01  a date
    no    false

They come out as a `Misread`, which no field of a model accepts, whatever the field wants. What is
left as a number is written in decimal digits, what is left as a truth value is `true` or `false`.
See https://yaml.org/type/: int, float, bool, timestamp.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import yaml

_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FRACTION = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True)
class Misread:
    """What was `written`, and the `meaning` that it has for YAML 1.1."""

    written: str
    meaning: str

    def __repr__(self) -> str:
        return self.written


class PlainLoader(yaml.SafeLoader):
    """Safe YAML without the numbers, truth values and dates that only YAML 1.1 knows."""

    def whole(self, node: yaml.ScalarNode) -> int | Misread:
        if _WHOLE.fullmatch(node.value):
            return int(node.value)
        return _misread(node, self.construct_yaml_int)

    def fraction(self, node: yaml.ScalarNode) -> float | Misread:
        if _FRACTION.fullmatch(node.value):
            return float(node.value)
        return _misread(node, self.construct_yaml_float)

    def truth(self, node: yaml.ScalarNode) -> bool | Misread:
        text = node.value.lower()
        if text in {"true", "false"}:
            return bool(text == "true")
        return _misread(node, self.construct_yaml_bool)

    def date(self, node: yaml.ScalarNode) -> Misread:
        return Misread(node.value, "a date")


def _misread(node: yaml.ScalarNode, construct: Callable[[yaml.ScalarNode], object]) -> Misread:
    try:
        return Misread(node.value, str(construct(node)).lower())
    except (ValueError, KeyError):  # such as `0x_` or `!!bool maybe`
        return Misread(node.value, "nothing")


PlainLoader.add_constructor("tag:yaml.org,2002:int", PlainLoader.whole)
PlainLoader.add_constructor("tag:yaml.org,2002:float", PlainLoader.fraction)
PlainLoader.add_constructor("tag:yaml.org,2002:bool", PlainLoader.truth)
PlainLoader.add_constructor("tag:yaml.org,2002:timestamp", PlainLoader.date)
