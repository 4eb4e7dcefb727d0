"""The socket of a tunnel follows the address that it leaves from, and outlives its process."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from typing import Any

import pytest

from nrs.endpoint.config import Router
from nrs.endpoint.uplink import TRY_S, Uplink, Uplinks
from nrs.system.descriptor_store import DescriptorStore
from nrs.tunnel.udp_socket import UdpSocket, peer_of
from tests.endpoint.fakes import config

PSK = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
HERE = ipaddress.ip_address("127.0.0.1")


class Addresses:
    """Says where the address is, and counts how often it is asked."""

    def __init__(self) -> None:
        self.device: str | None = None
        self.asked = 0

    def interface_of(self, address: object) -> str | None:
        self.asked += 1
        return self.device if address == HERE else None


def connect(uplink: Uplink, addresses: Any, *, settled: bool = False) -> bool:
    """As the agent does it; whether there is another socket."""
    opened = uplink.connect(addresses, settled=settled)
    if opened is not None:
        uplink.replace(opened)
    return opened is not None


def router(bind_address: str = "127.0.0.1") -> Router:
    return Router.model_validate(
        {"router_id": "r1", "external_ip": "127.0.0.1", "bind_address": bind_address}
    )


@pytest.fixture
def addresses() -> Addresses:
    return Addresses()


@pytest.fixture
def uplink() -> Iterator[Uplink]:
    made = Uplink(router(), 51820, DescriptorStore({}))
    yield made
    made.close()


def test_a_silent_tunnel_looks_where_its_address_is(uplink: Uplink, addresses: Addresses) -> None:
    assert connect(uplink, addresses)
    assert not connect(uplink, addresses)
    addresses.device = "lo"
    assert connect(uplink, addresses)
    for device in ("lo", None):  # it is there, or nowhere
        addresses.device = device
        assert not connect(uplink, addresses)


def test_a_tunnel_that_is_up_does_not_ask(uplink: Uplink, addresses: Addresses) -> None:
    connect(uplink, addresses)
    addresses.device, asked = "lo", addresses.asked
    assert not connect(uplink, addresses, settled=True)
    assert addresses.asked == asked


def test_an_address_that_is_not_there_is_tried_again_and_told_once(
    addresses: Addresses, caplog: pytest.LogCaptureFixture
) -> None:
    uplink = Uplink(router("192.0.2.99"), 51820, DescriptorStore({}))
    for _ in range(3):
        assert not connect(uplink, addresses)
    assert [r.getMessage() for r in caplog.records if "192.0.2.99" in r.getMessage()] != []
    assert len(caplog.records) == 1
    uplink.leave_from(HERE)
    assert connect(uplink, addresses)
    uplink.close()


def test_the_next_process_goes_on_through_the_same_socket(
    uplink: Uplink, addresses: Addresses
) -> None:
    connect(uplink, addresses)
    assert uplink.socket is not None
    kept = DescriptorStore({"udp.r1": os.dup(uplink.socket.fd)})
    after = Uplink(router(), 51820, kept)
    assert connect(after, addresses)
    assert after.socket is not None
    assert after.socket.local_address == uplink.socket.local_address
    after.close()


def test_a_socket_to_elsewhere_is_not_taken_over(uplink: Uplink, addresses: Addresses) -> None:
    connect(uplink, addresses)
    assert uplink.socket is not None
    kept = DescriptorStore({"udp.r1": os.dup(uplink.socket.fd)})
    after = Uplink(router(), 51821, kept)
    assert connect(after, addresses)
    assert after.socket is not None
    assert after.socket.local_address != uplink.socket.local_address
    after.close()


def test_a_changed_router_or_port_gets_another_uplink(addresses: Addresses) -> None:
    uplinks = Uplinks(DescriptorStore({}))
    assert uplinks.configure(config(("r1", "r2"), psk=PSK)) == []
    kept, gone = uplinks.by_router["r1"], uplinks.by_router["r2"]
    assert uplinks.configure(config(("r1", "r3"), psk=PSK)) == [gone]
    assert list(uplinks.by_router) == ["r1", "r3"]
    assert uplinks.by_router["r1"] is kept
    moved = list(uplinks.by_router.values())
    assert uplinks.configure(config(("r1", "r3"), psk=PSK, port=51999)) == moved
    assert all(uplink.port == 51999 for uplink in uplinks.by_router.values())
    connect(uplinks.by_router["r1"], addresses)
    socket = uplinks.by_router["r1"].socket
    assert isinstance(socket, UdpSocket)
    assert uplinks.owner(socket) == "r1"
    uplinks.by_router["r1"].close()
    assert uplinks.owner(socket) is None


class Names:
    """Says what a name stands for."""

    def __init__(self, *texts: str) -> None:
        self.found = [ipaddress.ip_address(text) for text in texts]

    def addresses(self, name: str, now: float, *, failing: bool) -> list[Any]:
        return self.found


def named(names: Any, store: DescriptorStore | None = None, **entry: str) -> Uplink:
    router = Router.model_validate({"router_id": "r1", "host": "r1.example.net", **entry})
    return Uplink(router, 51820, store or DescriptorStore({}), names)


def leads_to(uplink: Uplink, now: float, *, failing: bool = False) -> str | None:
    opened = uplink.connect(Addresses(), settled=not failing, failing=failing, now=now)  # type: ignore[arg-type]
    if opened is not None:
        uplink.replace(opened)
    if uplink.socket is None:
        return None
    peer = peer_of(uplink.socket.fd)
    return None if peer is None else peer[0]


def test_the_addresses_of_a_name_are_tried_in_turn_while_it_fails() -> None:
    names = Names()
    uplink = named(names)
    assert leads_to(uplink, 0.0) is None
    names.found = [ipaddress.ip_address(a) for a in ("127.0.0.2", "::1", "127.0.0.3")]
    for turn, address in enumerate(("127.0.0.2", "::1", "127.0.0.3", "127.0.0.2")):
        assert leads_to(uplink, turn * TRY_S, failing=turn > 0) == address
        assert leads_to(uplink, (turn + 0.9) * TRY_S, failing=True) == address
    uplink.close()


def test_a_live_tunnel_stays_where_it_is_and_a_failing_one_goes_where_the_name_is_now() -> None:
    names = Names("127.0.0.2")
    uplink = named(names)
    assert leads_to(uplink, 0.0) == "127.0.0.2"
    names.found = [ipaddress.ip_address("127.0.0.3")]
    assert leads_to(uplink, 1000.0) == "127.0.0.2"
    assert leads_to(uplink, 1000.0, failing=True) == "127.0.0.3"
    names.found = []
    assert leads_to(uplink, 2000.0, failing=True) == "127.0.0.3"
    uplink.close()


def test_no_address_of_another_family_or_in_the_tunnel_is_used() -> None:
    uplink = named(Names("::1", "127.0.0.2", "127.0.1.1"), bind_address="127.0.0.1")
    uplink.avoid([ipaddress.ip_network("127.0.0.2/32")])
    assert leads_to(uplink, 0.0) == "127.0.1.1"
    uplink.close()


def test_the_next_process_goes_on_before_the_name_is_looked_up() -> None:
    uplink = named(Names("127.0.0.2"))
    assert leads_to(uplink, 0.0) == "127.0.0.2"
    assert uplink.socket is not None
    kept = DescriptorStore({"udp.r1": os.dup(uplink.socket.fd)})
    after = named(Names(), kept)
    assert leads_to(after, 0.0) == "127.0.0.2"
    assert after.socket is not None
    assert after.socket.local_address == uplink.socket.local_address
    after.close()
    uplink.close()


def ported(store: DescriptorStore | None = None, **entry: object) -> Uplink:
    given = {"router_id": "r1", "external_ip": "127.0.0.1", "ports": [51820, 443], **entry}
    return Uplink(Router.model_validate(given), 4500, store or DescriptorStore({}))


def port_of(uplink: Uplink, now: float, *, failing: bool = False) -> int:
    assert leads_to(uplink, now, failing=failing) == "127.0.0.1"
    assert uplink.socket is not None
    peer = peer_of(uplink.socket.fd)
    assert peer is not None
    return peer[1]


def test_ports_are_tried_in_turn_while_a_tunnel_fails_and_only_then() -> None:
    uplink = ported()
    assert port_of(uplink, 0.0) == 51820
    assert port_of(uplink, 1000.0) == 51820
    for turn, port in enumerate((443, 51820, 443), 401):
        assert port_of(uplink, turn * TRY_S, failing=True) == port
        assert port_of(uplink, (turn + 0.9) * TRY_S, failing=True) == port
    assert port_of(uplink, 5000.0) == 443
    assert uplink.remote == "127.0.0.1:443"
    uplink.close()


def test_every_address_of_a_name_is_tried_at_the_first_port_before_the_next() -> None:
    names = Names("::1", "127.0.0.2")
    router = {"router_id": "r1", "host": "r1.example.net", "ports": [51820, 443]}
    uplink = Uplink(Router.model_validate(router), 4500, DescriptorStore({}), names)  # type: ignore[arg-type]
    found = []
    for turn in range(5):
        leads_to(uplink, turn * TRY_S, failing=turn > 0)
        found.append(uplink.remote)
    places = ["[::1]:51820", "127.0.0.2:51820", "[::1]:443", "127.0.0.2:443", "[::1]:51820"]
    assert found == places
    uplink.close()


def test_the_next_process_stays_at_the_port_that_works() -> None:
    uplink = ported()
    port_of(uplink, 0.0)
    assert port_of(uplink, TRY_S, failing=True) == 443
    assert uplink.socket is not None

    def kept() -> DescriptorStore:
        assert uplink.socket is not None
        return DescriptorStore({"udp.r1": os.dup(uplink.socket.fd)})

    after = ported(kept())
    assert port_of(after, 0.0) == 443
    assert after.socket is not None
    assert after.socket.local_address == uplink.socket.local_address
    after.close()
    # But not at one that the file does not have any more.
    after = ported(kept(), ports=[4501])
    assert port_of(after, 0.0) == 4501
    after.close()
    uplink.close()


def test_it_says_once_which_port_answers(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    uplink = ported()
    for turn in range(4):
        port_of(uplink, turn * TRY_S, failing=turn > 0)
    assert caplog.records == [], "while it is tried"
    for _ in range(2):
        port_of(uplink, 100.0)
    assert [r.getMessage() for r in caplog.records] == ["tunnel to r1 goes to 127.0.0.1:443"]
    uplink.close()
