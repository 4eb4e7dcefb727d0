"""The query parameters of the load balancer's API."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter, WithJsonSchema

from nrs.api.queries import Query, whole
from nrs.config.types import Name, as_name

MOST_CANDIDATES = 64
MOST_ON_A_PAGE = 1000
MOST_MBPS = 1e9


def _separated(value: Any) -> list[str]:
    """The names in a text, or in several, separated by commas; each once."""
    texts = [value] if isinstance(value, str) else value
    names = [name.strip() for text in texts for name in text.split(",") if name.strip()]
    if len(names) > MOST_CANDIDATES:
        raise ValueError(f"at most {MOST_CANDIDATES} candidates")
    return list(dict.fromkeys(map(as_name, names)))


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
