"""An endpoint goes on where the process before it has ended."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from nrs.endpoint.flow_memory import FlowMemory
from nrs.endpoint.flows import FlowTable
from nrs.endpoint.liveness import State
from nrs.endpoint.machine import NOTHING_REVOKED
from nrs.identity.revoked_tunnels import RevokedTunnels
from nrs.tunnel.wire import Type
from tests.endpoint.fakes import OLD, Endpoint
from tests.endpoint.test_rekey import FLOW, NEW, psk

TWO = ("r1", "r2")


def with_two_tunnels(**more: Any) -> Endpoint:
    """A process with two tunnels up."""
    made = Endpoint(TWO, **{**psk(), **more})
    for router_id, hello in zip(TWO, list(made.hellos), strict=True):
        assert made.answer({0: OLD}, router_id, hello) is None
    return made


@pytest.fixture
def before() -> Endpoint:
    return with_two_tunnels()


def after(
    before: Endpoint,
    routers: tuple[str, ...] = TWO,
    *,
    flows: FlowTable | None = None,
    revoked: RevokedTunnels = NOTHING_REVOKED,
    **tunnel: Any,
) -> Endpoint:
    """The next process, which finds what the one before has kept."""
    kept = [(opened.record, before.since[index]) for index, opened in before.sessions.items()]
    return Endpoint(
        routers,
        now=before.now,
        kept=kept,
        last_used=before.used[-1] if before.used else None,
        flows=flows,
        revoked=revoked,
        **{**psk(), **tunnel},
    )


def test_tunnels_are_up_at_once(before: Endpoint) -> None:
    before.wait(5)
    now = after(before)
    assert now.hellos == []
    assert now.sessions.keys() == before.sessions.keys()
    for router_id, tunnel in now.machine.tunnels.items():
        known = before.machine.tunnels[router_id]
        assert tunnel.liveness.state is State.UP
        assert tunnel.state_since == known.state_since
        assert tunnel.router_addresses == known.router_addresses != ()
    assert {kind for _, kind in now.said} == {Type.PROBE, Type.PATH_PROBE}, "it asks both"


@pytest.mark.parametrize("active", TWO)
def test_traffic_goes_on_through_the_same_tunnel_and_that_is_no_switch(
    before: Endpoint, active: str
) -> None:
    before.advise(active)
    now = after(before)
    assert now.machine.active == active
    assert now.used == []
    assert now.machine.switches.last() == []


@pytest.fixture
def memory() -> Iterator[FlowMemory]:
    with closing(FlowMemory()) as made:
        yield made


def test_flows_stay_where_they_began(memory: FlowMemory) -> None:
    before = with_two_tunnels(flows=FlowTable(memory=memory))
    before.advise("r1")
    assert before.machine.select(FLOW, 0, before.now) == before.session_of("r1")
    before.advise("r2")
    with closing(FlowMemory(os.dup(memory.file.fd))) as found:
        flows = FlowTable(memory=found)
        found.replay(flows, TWO, before.now)
        now = after(before, flows=flows)
        assert now.machine.select(FLOW, 0, now.now) == now.session_of("r1")
        assert now.machine.select(FLOW[:-1] + b"\x01", 0, now.now) == now.session_of("r2")


def test_a_session_of_another_address_begins_anew(before: Endpoint) -> None:
    now = after(before, tun_ipv4="10.10.100.2")
    assert now.sessions == {}
    assert len(now.hellos) == 2
    assert now.machine.active is None


@pytest.mark.parametrize("change", [psk(NEW), {"key_epoch": 3}], ids=["key", "epoch"])
def test_a_session_of_another_key_serves_until_there_is_one_of_the_present_key(
    before: Endpoint, change: dict[str, Any]
) -> None:
    now = after(before, **change)
    assert now.sessions.keys() == before.sessions.keys()
    assert now.machine.active == before.machine.active
    assert [hello[2] for hello in now.hellos] == [change.get("key_epoch", 0)] * 2


def test_a_router_that_is_gone_is_left_and_the_others_go_on(before: Endpoint) -> None:
    before.advise("r2")
    now = after(before, ("r1", "r3"))
    assert now.machine.tunnels["r1"].liveness.state is State.UP
    assert not now.machine.tunnels["r3"].index
    assert now.machine.active == "r1"
    assert [opened.record.owner for opened in now.sessions.values()] == ["r1"]


def test_without_a_socket_a_session_begins_anew(before: Endpoint) -> None:
    now = Endpoint(TWO, **psk())
    now.machine.tunnels["r1"].connected = False
    (record,) = [o.record for o in before.sessions.values() if o.record.owner == "r1"]
    assert now.machine.handle_kept(record, 0.0, now.now) == []


def test_of_three_sessions_the_newest_is_used_and_the_one_before_receives(before: Endpoint) -> None:
    for _ in range(2):
        before.do(before.machine.tunnels["r1"]._hello(before.now))
        assert before.answer({0: OLD}, "r1") is None
        before.now += 1.0
    assert len(before.sessions) == 3, "two of r1, one of r2"
    now = after(before)
    assert now.session_of("r1") == before.session_of("r1")
    assert now.sessions.keys() == before.sessions.keys()


def test_after_a_stop_there_is_nothing_to_go_on_with(before: Endpoint) -> None:
    before.do(before.machine.close(before.now))
    assert before.sessions == {}
    now = after(before)
    assert now.sessions == {}
