"""The socket of a tunnel follows the address that it leaves from."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from nrs.endpoint.config import Router
from nrs.endpoint.liveness import Timing
from nrs.endpoint.tunnel import Tunnel
from nrs.system.descriptor_store import DescriptorStore
from nrs.tunnel.handshake import StaticKey
from nrs.tunnel.wire import KeyMode
from tests.endpoint.fakes import CLAIM, OLD, Engine

HERE = ipaddress.ip_address("127.0.0.1")


class Addresses:
    """Says where the address is, and counts how often it is asked."""

    def __init__(self) -> None:
        self.device: str | None = None
        self.asked = 0

    def interface_of(self, address: object) -> str | None:
        assert address == HERE
        self.asked += 1
        return self.device


@pytest.fixture
def engine() -> Any:
    return Engine()


@pytest.fixture
def tunnel(engine: Any) -> Iterator[Tunnel]:
    router = Router(router_id="r1", external_ip=HERE, bind_address=HERE)
    store = DescriptorStore({})
    made = Tunnel(router, 51820, StaticKey(OLD, KeyMode.SHARED, 0), CLAIM, Timing(), store)
    yield made
    made.close(engine)


def test_a_silent_tunnel_looks_where_its_address_is(tunnel: Tunnel, engine: Any) -> None:
    addresses: Any = Addresses()
    assert tunnel.connect(engine, addresses)
    first = tunnel._socket
    assert tunnel.connect(engine, addresses)
    assert tunnel._socket is first
    addresses.device = "lo"
    assert tunnel.connect(engine, addresses)
    assert tunnel._socket is not first
    second = tunnel._socket
    for device in ("lo", None):  # it is there, or nowhere
        addresses.device = device
        assert tunnel.connect(engine, addresses)
        assert tunnel._socket is second


def test_a_tunnel_that_is_up_does_not_ask(tunnel: Tunnel, engine: Any) -> None:
    addresses: Any = Addresses()
    tunnel.connect(engine, addresses)
    tunnel.liveness.session_opened(0.0)
    addresses.device, asked = "lo", addresses.asked
    socket = tunnel._socket
    assert tunnel.connect(engine, addresses)
    assert (tunnel._socket, addresses.asked) == (socket, asked)


def test_an_address_that_is_not_there_is_tried_again(tunnel: Tunnel, engine: Any) -> None:
    elsewhere = ipaddress.ip_address("192.0.2.99")
    tunnel.router = Router(router_id="r1", external_ip=HERE, bind_address=elsewhere)
    addresses: Any = SimpleNamespace(interface_of=lambda _: None)
    assert not tunnel.connect(engine, addresses)
    tunnel.router = Router(router_id="r1", external_ip=HERE, bind_address=HERE)
    assert tunnel.connect(engine, addresses)
