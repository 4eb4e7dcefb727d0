from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from nrs.config import types


def accepts(kind: Any, value: object) -> Any:
    return TypeAdapter(kind).validate_python(value)


def refuses(kind: Any, value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (types.Address, "192.0.2.1"),
        (types.Address, "2001:db8::1"),
        (types.Address, "fe80::1%eth0"),
        (types.Address4, "192.0.2.1"),
        (types.UnderlayAddress, "fe80::1%eth0"),
        (types.UnderlayAddress, "169.254.1.1"),
        (types.Address6, "fd00:100::"),
        (types.Interface4, "10.10.1.1/16"),
        (types.Interface6, "fd00::1/64"),
        (types.Network, "10.0.0.0/8"),
        (types.Network, "::/0"),
    ],
)
def test_addresses(kind: Any, text: str) -> None:
    parsed = accepts(kind, text)
    assert str(parsed) == text
    assert accepts(kind, f" {text} ") == parsed
    assert accepts(kind, parsed) is parsed


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *[(types.Address, value) for value in (5, None, True, b"\0" * 4, "", "a", "10.1", "::/0")],
        *[(types.Address, value) for value in ("fe80::1%", "fe80::1%a b", "fe80::1%\x1b[31m")],
        (types.Address, "2001:db8::1%eth0"),
        (types.UnderlayAddress, "fe80::1"),
        (types.UnderlayAddress, "::1%lo"),
        (types.Address4, "::1"),
        (types.Address6, "192.0.2.1"),
        (types.Interface4, "10.10.1.1/33"),
        (types.Interface6, 5),
        (types.Network, "10.0.0.1/8"),
    ],
)
def test_other_things_are_no_address(kind: Any, value: object) -> None:
    refuses(kind, value)


@pytest.mark.parametrize("name", ["r1.example.net", "router-a", "a" * 63 + ".de", "_x.lab"])
def test_host_names(name: str) -> None:
    assert accepts(types.HostName, name) == name


@pytest.mark.parametrize(
    "value",
    ["", "192.0.2.1", "10.1", "::1", "a..b", "-a", "a b", "a" * 64, "a." * 127 + "a", 5, None],
)
def test_other_things_are_no_host_name(value: object) -> None:
    refuses(types.HostName, value)


@pytest.mark.parametrize("value", ["10", True, 0, -1, float("nan"), float("inf"), 86401, None])
def test_seconds_are_a_positive_number(value: object) -> None:
    refuses(types.Seconds, value)


def test_seconds_may_be_whole() -> None:
    assert accepts(types.Seconds, 10) == 10.0


@pytest.mark.parametrize("value", ["router_1", "a", "0.b-c", "a" * 64])
def test_names(value: str) -> None:
    assert accepts(types.Name, value) == value


@pytest.mark.parametrize("value", ["", ".", "..", "-a", "a" * 65, "a/b", "a b", "ä", "a\n", 5])
def test_other_things_are_no_name(value: object) -> None:
    refuses(types.Name, value)


@pytest.mark.parametrize("value", ["Zürich, Straße 1", "a", "路由器", "\N{GRINNING FACE}"])
def test_labels(value: str) -> None:
    assert accepts(types.Label, value) == value


@pytest.mark.parametrize("value", ["", "a\n", "\x1b[31m", "a\x00", "\x9b", "a" * 129, "\ud800", 5])
def test_other_things_are_no_label(value: object) -> None:
    refuses(types.Label, value)


@pytest.mark.parametrize(
    "value", ["http://192.0.2.10:8080", "https://lb.example", "http://[2001:db8::1]:8080/api"]
)
def test_urls(value: str) -> None:
    assert accepts(types.Urls, value) == [value]
    assert accepts(types.Urls, [value, value + "/"]) == [value, value]


@pytest.mark.parametrize(
    "value",
    [
        *[
            "",
            "lb.example:8080",
            "ftp://a",
            "http://",
            "http://a:0",
            "http://a:65536",
            "http://a b",
        ],
        *["http://[::::]:80", "http://a?x=1", "http://u:p@a", "http://a\n", 5, []],
    ],
)
def test_other_things_are_no_url(value: object) -> None:
    refuses(types.Urls, value)


@pytest.mark.parametrize(
    ("text", "meant"), [("10.10.1.1/16", "10.10.0.0/16"), ("fd00:0::1/64", "fd00::/64")]
)
def test_a_network_with_host_bits_names_the_one_that_was_meant(text: str, meant: str) -> None:
    with pytest.raises(ValidationError, match=f"host bits set; {meant} was probably meant"):
        accepts(types.Network, text)
