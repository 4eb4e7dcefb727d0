from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrs.system.link_changes import AddressGone, AddressIs, LinkGone, LinkIs, Told
from nrs.system.link_events import Answered, LinkEvents, decode

NEW_LINK, DEL_LINK, NEW_ADDRESS, DEL_ADDRESS = 16, 17, 20, 21
UP, RUNNING, LOWER_UP = 0x1, 0x40, 0x10000
ADDRESS = bytes([198, 51, 100, 1])


def message(kind: int, body: bytes, sequence: int = 0) -> bytes:
    padded = body + bytes(-len(body) % 4)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, sequence, 0) + padded


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def link(kind: int = NEW_LINK, flags: int = 0, family: int = 0) -> bytes:
    body = struct.pack("=BxHiII", family, 1, 7, flags, 0)
    return message(kind, body + attribute(13, b"\0" * 4) + attribute(3, b"eth1\0"))


def address(kind: int = NEW_ADDRESS, flags: int = 0, scope: int = 0, wide: int = 0) -> bytes:
    body = struct.pack("=BBBBi", 2, 24, flags, scope, 7)
    extra = attribute(8, struct.pack("=I", wide)) if wide else b""
    return message(kind, body + attribute(1, b"peer") + attribute(2, ADDRESS) + extra)


def ordinary_address() -> bytes:
    body = struct.pack("=BBBBi", 2, 24, 0, 0, 7)
    return message(NEW_ADDRESS, body + attribute(1, ADDRESS) + attribute(2, ADDRESS))


@pytest.mark.parametrize(
    ("data", "event"),
    [
        (link(flags=UP | RUNNING | LOWER_UP), LinkIs(7, "eth1", up=True, running=True)),
        (link(flags=UP | RUNNING), LinkIs(7, "eth1", up=True, running=False)),
        (link(flags=UP | LOWER_UP), LinkIs(7, "eth1", up=True, running=False)),
        (link(), LinkIs(7, "eth1", up=False, running=False)),
        (link(DEL_LINK), LinkGone(7)),
        (address(), AddressIs(7, ADDRESS, 24, True, b"peer")),
        (address(scope=253), AddressIs(7, ADDRESS, 24, False, b"peer")),
        (address(flags=0x40), AddressIs(7, ADDRESS, 24, False, b"peer")),
        (address(flags=0x44), AddressIs(7, ADDRESS, 24, True, b"peer")),
        (address(flags=0x08), AddressIs(7, ADDRESS, 24, False, b"peer")),
        (address(wide=0x40), AddressIs(7, ADDRESS, 24, False, b"peer")),
        (address(flags=0x40, wide=0x80), AddressIs(7, ADDRESS, 24, True, b"peer")),
        (ordinary_address(), AddressIs(7, ADDRESS, 24, True)),
        (address(DEL_ADDRESS), AddressGone(7, ADDRESS, 24)),
        (message(3, bytes(4), 9), Answered(9)),
    ],
)
def test_each_message_is_one_event(data: bytes, event: object) -> None:
    assert list(decode(data)) == [event]
    assert list(decode(data + link(DEL_LINK))) == [event, LinkGone(7)]


def test_a_port_that_leaves_a_bridge_is_no_link_gone() -> None:
    assert list(decode(link(DEL_LINK, family=7))) == []


@given(st.binary(max_size=100) | st.integers(0, 200).map(lambda n: (link() + address())[:n]))
def test_nothing_that_arrives_breaks_it(data: bytes) -> None:
    list(decode(data))


def test_the_kernel_tells_all_there_is() -> None:
    events = LinkEvents()
    try:
        told = events.first()
        assert told[-1] == Told()
        assert any(isinstance(event, LinkIs) and event.name == "lo" for event in told)
        assert events.read() == []
    finally:
        events.close()
