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


def answered(echo: EchoSocket, timeout_ms: int = 5000) -> bool:
    poller = select.poll()
    poller.register(echo, select.POLLIN)
    return bool(poller.poll(timeout_ms)) and echo.receive()


def test_an_echo_is_answered_once(echo: EchoSocket) -> None:
    assert not echo.receive()
    for _ in range(3):
        assert echo.send()
        assert answered(echo)
        assert not echo.receive()


def test_answers_to_others_do_not_count() -> None:
    for address in map(ipaddress.ip_address, LOCAL):
        mine, other = EchoSocket(address, "lo"), EchoSocket(address, "lo")
        assert other.send()
        assert answered(other)
        assert not mine.receive()
        mine.close()
        other.close()


@pytest.mark.parametrize("address", LOCAL)
def test_what_looks_like_an_answer_is_held_against_what_was_sent(address: str) -> None:
    echo = EchoSocket(ipaddress.ip_address(address), "lo")
    kind = 129 if ":" in address else 0
    header = b"" if ":" in address else b"\x45" + bytes(19)
    right = struct.pack("!BBHHH", kind, 0, 0, echo._id, 1) + echo._token
    assert echo._is_answer(header + right, (address, 0))
    assert not echo._is_answer(header + right, ("192.0.2.1", 0))
    assert not echo._is_answer(header + right[:-1] + b"?", (address, 0))
    assert not echo._is_answer(header + right[:-1], (address, 0))
    assert not echo._is_answer(header + bytes([8]) + right[1:], (address, 0))
    for length in range(len(header) + 8):
        assert not echo._is_answer((header + right)[:length], (address, 0))
    echo.close()


def test_an_interface_that_is_not_there() -> None:
    with pytest.raises(OSError):
        EchoSocket(ipaddress.ip_address("127.0.0.1"), "egress9")
