from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import ValidationError

from nrs.api.queries import Query, whole


class Page(Query):
    limit: Annotated[int, whole(1, 1000)] = 7


@pytest.mark.parametrize(
    ("text", "number"), [("1", 1), ("1000", 1000), ("0001", 1), ("0000000999", 999)]
)
def test_digits_are_a_number(text: str, number: int) -> None:
    assert Page.model_validate({"limit": text, "another": "x"}).limit == number


@pytest.mark.parametrize(
    "value", ["", "0", "1001", "-1", "+1", "1.0", " 1", "x", "\u0661", "9" * 5000, ["1", "2"], 5]
)
def test_anything_else_is_refused_with_the_range(value: Any) -> None:
    with pytest.raises(ValidationError, match="must be a number from 1 to 1000"):
        Page.model_validate({"limit": value})


def test_a_parameter_that_is_missing_has_its_default() -> None:
    assert Page.model_validate({}).limit == 7
