from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nrs.controller.canonical import canonical


def test_the_stored_form_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical({"a": 1, "b": {"c": 2, "d": 3}}) == canonical({"b": {"d": 3, "c": 2}, "a": 1})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "1", "true"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)


@given(one=st.dictionaries(st.sampled_from("ab"), JSON), other=JSON)
def test_different_values_have_different_forms(one: dict[str, Any], other: Any) -> None:
    def typed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: typed(child) for key, child in value.items()}
        if isinstance(value, list):
            return [typed(child) for child in value]
        return (type(value), value)

    same = typed(one) == typed({"a": other})
    assert (canonical(one) == canonical({"a": other})) == same
