"""An endpoint goes on where the process before it has ended."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from nrs.agent.notes import Notes
from nrs.endpoint.continuity import Continuity
from nrs.endpoint.flow_memory import FlowMemory
from nrs.endpoint.liveness import State
from nrs.system.descriptor_store import DescriptorStore
from nrs.tunnel.session_memory import SessionMemory
from nrs.tunnel.wire import Type
from tests.endpoint.fakes import OLD, Endpoint, Loop
from tests.endpoint.test_rekey import FLOW, NEW, psk

TWO = ("r1", "r2")


class Restarts:
    """What is kept of an endpoint, and a process after the other."""

    def __init__(self, directory: Path, opened: ExitStack, loop: Loop) -> None:
        self._directory = directory
        self._opened = opened
        self._memory = opened.enter_context(closing(SessionMemory()))
        self._flows = opened.enter_context(closing(FlowMemory()))
        self.loop = Loop()

    def endpoint(
        self, routers: tuple[str, ...] = TWO, *, kill: Any = None, **tunnel: Any
    ) -> Endpoint:
        """The next process; `kill` is the one before, whose sockets are inherited."""
        sockets = {}
        if kill is not None:
            for router_id, before in kill.policy.tunnels.items():
                if before._socket is not None:
                    sockets[f"udp.{router_id}"] = os.dup(before._socket.fd)
        memory = SessionMemory(os.dup(self._memory.file.fd))
        flows = FlowMemory(os.dup(self._flows.file.fd))
        for mapped in (memory, flows):
            self._opened.enter_context(closing(mapped))
        made = Endpoint(
            self.loop,
            routers,
            memory=memory,
            continuity=Continuity(DescriptorStore(sockets), flows, Notes(self._directory)),
            **{**psk(), **tunnel},
        )
        for one in made.policy.tunnels.values():
            self._opened.callback(one.disconnect, made.engine)
        return made


@pytest.fixture
def restarts(tmp_path: Path, loop: Loop) -> Iterator[Restarts]:
    with ExitStack() as opened:
        yield Restarts(tmp_path, opened, loop)


@pytest.fixture
def before(restarts: Restarts) -> Endpoint:
    """A process with two tunnels up."""
    made = restarts.endpoint()
    for router_id in TWO:
        hello = made.engine.hellos[TWO.index(router_id)]
        assert made.answer({0: OLD}, router_id, hello) is None
    return made


def test_tunnels_are_up_at_once_and_through_the_same_sockets(
    restarts: Restarts, before: Endpoint
) -> None:
    ports = [t._socket.local_address for t in before.policy.tunnels.values() if t._socket]
    since = [t.state_since for t in before.policy.tunnels.values()]
    now = restarts.endpoint(kill=before)
    assert now.engine.hellos == []
    tunnels = list(now.policy.tunnels.values())
    assert [t.liveness.state for t in tunnels] == [State.UP, State.UP]
    assert [t._socket.local_address for t in tunnels if t._socket] == ports
    assert [t.state_since for t in tunnels] == since
    assert [t.router_addresses for t in tunnels] == [
        t.router_addresses for t in before.policy.tunnels.values()
    ]
    assert {kind for _, kind in now.engine.said} == {Type.PROBE}, "it asks whether they answer"


@pytest.mark.parametrize("active", TWO)
def test_traffic_goes_on_through_the_same_tunnel_and_that_is_no_switch(
    restarts: Restarts, before: Endpoint, active: str
) -> None:
    before.policy.advise(active)
    now = restarts.endpoint(kill=before)
    assert now.policy.active == active
    assert now.policy.switches.last() == []


def test_flows_stay_where_they_began(restarts: Restarts, before: Endpoint) -> None:
    before.policy.advise("r1")
    assert before.policy.select(FLOW, 0) is before.session_of("r1")
    before.policy.advise("r2")
    now = restarts.endpoint(kill=before)
    assert now.policy.select(FLOW, 0) is now.session_of("r1")
    assert now.policy.select(FLOW[:-1] + b"\x01", 0) is now.session_of("r2")


def test_numbers_go_on(restarts: Restarts, before: Endpoint) -> None:
    session = before.session_of("r1")
    session.sealer.control(Type.ROLE)
    last = session.sealer.sequence
    assert last > 0
    assert restarts.endpoint(kill=before).session_of("r1").sealer.sequence == last


@pytest.mark.parametrize(
    "change",
    [psk(NEW), {"tun_ipv4": "10.10.100.2"}, {"key_epoch": 3}],
    ids=["key", "address", "epoch"],
)
def test_a_session_of_another_key_or_address_begins_anew(
    restarts: Restarts, before: Endpoint, change: dict[str, Any]
) -> None:
    now = restarts.endpoint(kill=before, **change)
    assert [t.session for t in now.policy.tunnels.values()] == [None, None]
    assert len(now.engine.hellos) == 2
    assert now.policy.active is None
    assert list(now.engine.memory or ()) == []


def test_a_router_that_is_gone_is_left_and_the_others_go_on(
    restarts: Restarts, before: Endpoint
) -> None:
    before.policy.advise("r2")
    now = restarts.endpoint(("r1", "r3"), kill=before)
    assert now.policy.tunnels["r1"].liveness.state is State.UP
    assert now.policy.tunnels["r3"].session is None
    assert now.policy.active == "r1"
    assert [r.owner for _, r in now.engine.memory or ()] == ["r1"]


def test_without_its_sockets_a_session_goes_on_through_new_ones(
    restarts: Restarts, before: Endpoint
) -> None:
    """The router follows it to the new port, as it follows one that roams."""
    now = restarts.endpoint()
    assert now.policy.tunnels["r1"].liveness.state is State.UP
    assert now.session_of("r1").sealer.sequence == before.session_of("r1").sealer.sequence


def test_after_a_stop_there_is_nothing_to_go_on_with(restarts: Restarts, before: Endpoint) -> None:
    before.policy.close()
    now = restarts.endpoint()
    assert [t.session for t in now.policy.tunnels.values()] == [None, None]
