from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrs.api.strict_json import DEEPEST, JsonError, parse_object

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_what_json_can_say_survives(data: dict[str, object]) -> None:
    assert parse_object(json.dumps(data).encode()) == data
    assert parse_object(json.dumps(data, ensure_ascii=False).encode()) == data


@given(st.binary(max_size=200))
def test_any_bytes_give_an_object_or_an_error(raw: bytes) -> None:
    try:
        assert isinstance(parse_object(raw), dict)
    except JsonError as error:
        assert error.error


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b'{"a": 1} x',
        b"\xff\xfe{\x00}\x00",
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b"[" * 60_000,
        b'{"a":' * 12_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_malformed(raw: bytes) -> None:
    with pytest.raises(JsonError, match="not valid JSON"):
        parse_object(raw)


@pytest.mark.parametrize("raw", [b"[]", b"1", b'"a"', b"null"])
def test_only_an_object_is_taken(raw: bytes) -> None:
    with pytest.raises(JsonError, match="must be a JSON object"):
        parse_object(raw)


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b'{"a": NaN}', "a"),
        (b'{"a": [1, {"b": Infinity}]}', "a.1.b"),
        (b'{"a": -Infinity}', "a"),
        (b'{"a": 1e400}', "a"),
    ],
)
def test_a_number_that_is_not_finite_is_named(raw: bytes, field: str) -> None:
    with pytest.raises(JsonError, match="finite") as caught:
        parse_object(raw)
    assert caught.value.field == field


def test_a_key_given_twice_is_named() -> None:
    with pytest.raises(JsonError, match="twice") as caught:
        parse_object(b'{"ok": {"cpu": 1, "b": 2, "cpu": 99}}')
    assert caught.value.field == "cpu"


@pytest.mark.parametrize(
    ("raw", "field"),
    [(rb'{"a": "x\ud800"}', "a"), (rb'{"a": {"\udfff": 1}}', "a"), (rb'{"\ud800": 1}', None)],
)
def test_half_a_surrogate_pair_is_refused(raw: bytes, field: str | None) -> None:
    with pytest.raises(JsonError, match="surrogate") as caught:
        parse_object(raw)
    assert caught.value.field == field


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert parse_object(rb'{"a": "\ud83d\ude00"}') == {"a": "\N{GRINNING FACE}"}


def test_nesting_has_a_limit() -> None:
    def nested(levels: int) -> bytes:
        return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"

    assert parse_object(nested(DEEPEST))
    with pytest.raises(JsonError, match="nested deeper"):
        parse_object(nested(DEEPEST + 1))
