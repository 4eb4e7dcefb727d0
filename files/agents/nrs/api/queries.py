"""Query parameters of every service; they arrive as text, or as a list of it where repeated."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Query(BaseModel):
    """Parameters that are not known are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def whole(least: int, most: int) -> BeforeValidator:
    """Reads decimal digits as a number from `least` to `most`, which has at most 9 of them."""

    def read(value: Any) -> int:
        digits = isinstance(value, str) and value.isascii() and value.isdigit()
        number = int(value[:10]) if digits else -1
        if not least <= number <= most:
            raise ValueError(f"must be a number from {least} to {most}")
        return number

    return BeforeValidator(read)
