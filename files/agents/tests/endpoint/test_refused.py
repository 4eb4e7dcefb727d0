"""An endpoint that claims what its router does not let it have."""

from __future__ import annotations

import base64
import logging

import pytest

from nrs.tunnel.drop import Drop
from nrs.tunnel.handshake import Responder
from nrs.tunnel.wire import KeyMode, Objection, RouterFlag, Type
from tests.endpoint.fakes import OLD, Endpoint, config, identity

PSK = base64.b64encode(OLD).decode()
LAN = ["fd00:7::/64", "192.168.7.0/24"]


def refuse(
    endpoint: Endpoint, objection: Objection, item: int, router_id: str = "r1"
) -> Drop | None:
    router = Responder(identity(router_id), {0: OLD}, frozenset({KeyMode.SHARED}))
    offer = router.check(endpoint.hellos[-1])
    return endpoint.handshake(Type.HELLO_ACK, router.refuse(offer, objection, item, RouterFlag(0)))


def test_it_claims_in_order_and_says_once_what_is_refused() -> None:
    endpoint = Endpoint(psk=PSK, advertise=LAN)
    endpoint.wait(0.5)
    for _ in range(3):
        assert refuse(endpoint, Objection.ANOTHERS, 2) is Drop.SOURCE
        endpoint.wait(3)
    text = "r1 refuses 192.168.7.0/24: another endpoint has it or a part of it"
    told = [said for level, said in endpoint.told if level == logging.WARNING]
    assert told == [text], "and not that the router does not answer"
    assert endpoint.tunnel.refusal == text
    assert len(endpoint.hellos) > 3, "it goes on"
    endpoint.answer({0: OLD})
    assert endpoint.tunnel.refusal is None
    assert endpoint.tunnel.index


def test_another_router_refuses_nothing() -> None:
    endpoint = Endpoint(psk=PSK, advertise=LAN)
    endpoint.wait(0.5)
    assert refuse(endpoint, Objection.OUTSIDE, 0, "r2") is Drop.SOURCE
    assert endpoint.tunnel.refusal is None


def test_what_was_not_claimed_cannot_be_refused() -> None:
    endpoint = Endpoint(psk=PSK)
    endpoint.wait(0.5)
    assert refuse(endpoint, Objection.OUTSIDE, 2) is Drop.MALFORMED


@pytest.mark.parametrize(
    ("advertise", "problem"),
    [
        (["192.168.7.0/24", "192.168.0.0/16"], "192.168.0.0/16 and 192.168.7.0/24 overlap"),
        (["192.168.7.1/24"], "host bits"),
        ([f"192.168.{n}.0/24" for n in range(17)], "at most 16"),
    ],
)
def test_what_cannot_be_advertised(advertise: list[str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        config(psk=PSK, advertise=advertise)


def test_a_network_needs_a_tunnel_address_of_its_family() -> None:
    with pytest.raises(ValueError, match=r"advertise: fd00:7::/64 needs tunnel.tun_ipv6"):
        config(psk=PSK, advertise=LAN, tun_ipv6=None)
