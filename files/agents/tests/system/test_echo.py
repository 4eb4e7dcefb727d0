"""Echoes over the loopback. They need CAP_NET_RAW."""

from __future__ import annotations

import ipaddress
import os
import select
import struct
from collections.abc import Iterator

import pytest

from nrs.system.echo import EchoSocket

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets are for root")
LOCAL = ["127.0.0.1", "::1"]


@pytest.fixture(params=LOCAL)
def echo(request: pytest.FixtureRequest) -> Iterator[EchoSocket]:
    one = EchoSocket(ipaddress.ip_address(request.param), "lo")
    yield one
    one.close()


def wait_until_readable(echo: EchoSocket, timeout_ms: int = 5000) -> None:
    poller = select.poll()
    poller.register(echo, select.POLLIN)
    assert poller.poll(timeout_ms)


def answered(echo: EchoSocket) -> bool:
    wait_until_readable(echo)
    return echo.receive() is not None


def test_an_echo_is_answered_once(echo: EchoSocket) -> None:
    assert echo.receive() is None
    for number in range(1, 4):
        assert echo.send(number)
        assert answered(echo)
        assert echo.receive() is None


@pytest.mark.parametrize("first", [1, 0xFFFE, 0x1FFFF])
def test_an_answer_says_which_echo_it_is_to(echo: EchoSocket, first: int) -> None:
    for number in range(first, first + 4):
        assert echo.send(number)
        wait_until_readable(echo)
        assert echo.receive() == number


def test_of_several_answers_the_newest_counts(echo: EchoSocket) -> None:
    for number in (0xFFFF, 0x10000, 0x10001):
        assert echo.send(number)
    heard = 0
    while heard < 0x10001:
        wait_until_readable(echo)
        heard = max(heard, echo.receive() or 0)
    assert echo.receive() is None


def test_answers_to_others_do_not_count() -> None:
    for address in map(ipaddress.ip_address, LOCAL):
        mine, other = EchoSocket(address, "lo"), EchoSocket(address, "lo")
        assert other.send(1)
        assert answered(other)
        assert mine.receive() is None
        mine.close()
        other.close()


@pytest.mark.parametrize("address", LOCAL)
def test_what_looks_like_an_answer_is_held_against_what_was_sent(address: str) -> None:
    echo = EchoSocket(ipaddress.ip_address(address), "lo")
    echo.send(1)
    kind = 129 if ":" in address else 0
    header = b"" if ":" in address else b"\x45" + bytes(19)
    right = struct.pack("!BBHHH", kind, 0, 0, echo._id, 1) + echo._token
    assert echo._answered(header + right, (address, 0)) == 1
    assert echo._answered(header + right, ("192.0.2.1", 0)) is None
    assert echo._answered(header + right[:-1] + b"?", (address, 0)) is None
    assert echo._answered(header + right[:-1], (address, 0)) is None
    assert echo._answered(header + bytes([8]) + right[1:], (address, 0)) is None
    for length in range(len(header) + 8):
        assert echo._answered((header + right)[:length], (address, 0)) is None
    echo.close()


def test_an_interface_that_is_not_there() -> None:
    with pytest.raises(OSError):
        EchoSocket(ipaddress.ip_address("127.0.0.1"), "egress9")
