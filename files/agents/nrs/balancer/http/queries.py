"""The query parameters of the load balancer's API."""

from __future__ import annotations

import functools
import math
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter, WithJsonSchema

from nrs.api.queries import Query, whole
from nrs.config.types import Name, as_name

MOST_CANDIDATES = 64
MOST_ON_A_PAGE = 1000
MOST_MBPS = 1e9
_USUAL_LENGTH = 256


def _separated(value: Any) -> tuple[str, ...]:
    """The names in a text, or in several, separated by commas; each once."""
    text = value if isinstance(value, str) else ",".join(value)
    return _usual(text) if len(text) <= _USUAL_LENGTH else _names(text)


def _names(text: str) -> tuple[str, ...]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if len(names) > MOST_CANDIDATES:
        raise ValueError(f"at most {MOST_CANDIDATES} candidates")
    return tuple(dict.fromkeys(map(as_name, names)))


_usual = functools.lru_cache(maxsize=4096)(_names)
"""An endpoint names the same ones each time."""


def _rate(value: Any) -> float | None:
    if value == "":
        return None
    try:
        rate = float(value)
    except (TypeError, ValueError):
        rate = math.nan
    if not 0 <= rate <= MOST_MBPS:
        raise ValueError("must be a number from 0 to 10^9")
    return rate


_Separated = Annotated[str, WithJsonSchema(TypeAdapter(Name).json_schema())]
"""A name that `_separated` has checked."""


class DecisionQuery(Query):
    """`GET /decision/{endpoint_id}`: which routers there are, which is used, its traffic."""

    candidates: Annotated[
        tuple[_Separated, ...],
        Field(max_length=MOST_CANDIDATES),
        BeforeValidator(_separated),
    ] = ()
    current: Name | None = None
    mbps: Annotated[float | None, Field(ge=0, le=MOST_MBPS), BeforeValidator(_rate)] = None


class DecisionsQuery(Query):
    """`GET /decisions`: the page that follows the endpoint `after`."""

    after: Name | None = None
    limit: Annotated[int, Field(ge=1, le=MOST_ON_A_PAGE), whole(1, MOST_ON_A_PAGE)] = MOST_ON_A_PAGE
