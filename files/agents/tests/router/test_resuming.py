"""A routing server goes on with the sessions that the process before it has left."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from nrs.tunnel import wire
from nrs.tunnel.engine import Control
from nrs.tunnel.session import Session
from nrs.tunnel.session_memory import SessionMemory
from nrs.tunnel.wire import Claim, Type
from tests.router.test_keys import (
    CLAIM,
    FLOW,
    NEW,
    OLD,
    SOCKET,
    Links,
    Router,
    config,
    shared,
    text,
)

ELSEWHERE = Claim(
    "endpoint_2",
    ipaddress.IPv4Address("10.20.0.2"),
    ipaddress.IPv6Address("fd00:20::2"),
)


class Restarts:
    """One memory, and a process after the other."""

    def __init__(self, opened: ExitStack) -> None:
        self._opened = opened
        self._memory = opened.enter_context(closing(SessionMemory()))
        self.links = Links()

    def router(self, **tunnel: object) -> Router:
        psk = tunnel.pop("psk", OLD)
        assert isinstance(psk, bytes)
        memory = SessionMemory(os.dup(self._memory.file.fd))
        self._opened.enter_context(closing(memory))
        return Router(config(psk, **tunnel), memory, self.links)


@pytest.fixture
def restarts() -> Iterator[Restarts]:
    with ExitStack() as opened:
        yield Restarts(opened)


def selected(router: Router) -> int | None:
    session = router.policy.select(FLOW, 0)
    return None if session is None else session.local_index


def say_role(router: Router, session: Session, sequence: int, *, active: bool) -> None:
    flags = wire.ACTIVE if active else 0
    router.policy.control(session, Control(Type.ROLE, flags, 0, sequence, 0, b""))


def test_everything_is_as_it_was(restarts: Restarts) -> None:
    before = restarts.router()
    session = before.open(shared())
    say_role(before, session, 1, active=True)
    (device,) = before.policy.table
    now = restarts.router()
    assert selected(now) == session.local_index
    (again,) = now.policy.table
    assert (again.claim, again.active, again.since) == (CLAIM, True, device.since)
    assert again.current is not None
    assert again.current.confirmed
    assert again.current.path.peer == session.path.peer
    assert now.engine.said == []


def test_the_session_before_the_current_one_still_receives(restarts: Restarts) -> None:
    before = restarts.router()
    old, new = before.open(shared()), before.open(shared())
    now = restarts.router()
    assert set(now.engine.sessions) == {old.local_index, new.local_index}
    assert selected(now) == new.local_index
    third = now.open(shared())
    assert set(now.engine.sessions) == {new.local_index, third.local_index}
    assert set(restarts.router().engine.sessions) == {new.local_index, third.local_index}


def test_an_offer_that_has_just_been_made_is_good(restarts: Restarts) -> None:
    before = restarts.router()
    current, offered = before.open(shared()), before.offered(shared())
    now = restarts.router()
    assert selected(now) == current.local_index
    session = now.engine.sessions[offered.local_index]
    assert not session.confirmed
    session.confirmed = True
    now.policy.confirmed(session)
    assert selected(now) == offered.local_index


@pytest.mark.parametrize(
    ("tunnel", "stays"),
    [
        ({}, True),
        ({"psk": NEW}, False),
        ({"psk": NEW, "previous_psk": text(OLD), "key_epoch": 1}, True),
        ({"key_modes": ["device"]}, False),
        ({"endpoint_networks": ["192.168.0.0/16", "fc00::/7"]}, False),
        ({"tun_ipv4": f"{CLAIM.tun_ipv4}/16"}, False),
        ({"tun_ipv4": "10.10.1.9/16"}, False),
        ({"server_id": "r2"}, False),
    ],
    ids=[
        *("same", "another PSK", "the PSK before", "mode", "networks"),
        *("the address is the router's now", "router's address", "router's name"),
    ],
)
def test_a_session_that_would_not_be_accepted_now_is_over(
    restarts: Restarts, tunnel: dict[str, object], stays: bool
) -> None:
    session = restarts.router().open(shared())
    now = restarts.router(**tunnel)
    assert selected(now) == (session.local_index if stays else None)
    assert bool(now.engine.sessions) is stays
    assert bool(restarts.router().engine.sessions) is stays, "it was only left out, not released"


def test_a_peer_that_the_new_socket_cannot_reach_begins_anew(
    restarts: Restarts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another family of `bind_address` must not keep the router from starting."""
    restarts.router().open(shared())
    monkeypatch.setattr(SOCKET, "can_reach", lambda _peer: False)
    assert restarts.router().engine.sessions == {}
    monkeypatch.undo()
    assert restarts.router().engine.sessions == {}, "it was only left out, not released"


def test_routes_of_endpoints_stay_and_those_of_nobody_go(restarts: Restarts) -> None:
    before = restarts.router(endpoint_networks=["10.0.0.0/8", "fc00::/7"])
    before.hello(shared(), ELSEWHERE)
    (session,) = before.engine.sessions.values()
    session.confirmed = True
    before.policy.confirmed(session)
    own = set(restarts.links.routed)
    assert own == {ipaddress.ip_network("10.20.0.2"), ipaddress.ip_network("fd00:20::2")}
    site = ipaddress.ip_network("10.99.0.0/16")
    restarts.links.routed |= {ipaddress.ip_network("10.20.0.77"), site}
    restarts.router(endpoint_networks=["10.0.0.0/8", "fc00::/7"])
    assert restarts.links.routed == own | {site}


def test_sessions_that_were_closed_do_not_come_back(restarts: Restarts) -> None:
    before = restarts.router()
    session = before.open(shared())
    before.policy.control(session, Control(Type.BYE, 0, 0, 5, 0, b""))
    assert restarts.router().engine.sessions == {}
    stopped = restarts.router()
    stopped.open(shared())
    stopped.policy.close()
    assert restarts.router().engine.sessions == {}
