"""Recorded metrics: a file of JSON lines, each the body of one `POST /metrics`.

A report came in when its `timestamp` says. A line may be a decision instead, so that a replay
knows who asked when, and what was answered:

    {"endpoint_id": "endpoint_1", "timestamp": 1795436298.4, "candidates": ["router_1", "router_2"],
     "current": "router_1", "router_id": "router_2", "mbps": 12.5}

`candidates`, `current` and `mbps` may be null or missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, TextIO

from pydantic import Field, ValidationError

from nrs.api.messages import Message, MetricsReport, Rate, Timestamp
from nrs.config.types import Name


class RecordingDamaged(Exception):
    """A line that is neither; the text names its number, the field and what is wrong."""


class Asked(Message):
    """A decision: who asked, with what, and which router was answered."""

    endpoint_id: Name
    timestamp: Timestamp
    router_id: Name
    candidates: Annotated[list[Name], Field(min_length=1, max_length=64)] | None = None
    current: Name | None = None
    mbps: Rate | None = None


Line = MetricsReport | Asked


def write(file: TextIO, line: Line) -> None:
    """Append a line to `file`."""
    file.write(line.model_dump_json(exclude_defaults=True) + "\n")


def read(lines: Iterable[str], name: str) -> list[Line]:
    """What was recorded in the file `name`, in the order of time. Raises RecordingDamaged."""
    found = list(_parse(lines, name))
    if not any(isinstance(line, MetricsReport) for line in found):
        raise RecordingDamaged(f"{name}: holds no metrics")
    return sorted(found, key=lambda line: line.timestamp)


def _parse(lines: Iterable[str], name: str) -> Iterator[Line]:
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        where = f"{name}, line {number}"
        try:
            data: Any = json.loads(text)
        except ValueError as error:
            raise RecordingDamaged(f"{where}: not JSON: {error}") from None
        kind = Asked if isinstance(data, dict) and "endpoint_id" in data else MetricsReport
        try:
            yield kind.model_validate(data)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(map(str, first["loc"]))
            raise RecordingDamaged(f"{where}: {field or 'the line'}: {first['msg']}") from None
