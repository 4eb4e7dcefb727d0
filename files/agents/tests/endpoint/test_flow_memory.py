"""The table of flows as the next process has it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrs.endpoint.flow_memory import FlowMemory
from nrs.endpoint.flows import CLOSING_S, FIN, SYN, TCP, UDP, UDP_IDLE_S, FlowTable

NOW = 100.0
TUNNELS = ("a", "b")


def flow(number: int, protocol: int = UDP) -> bytes:
    return bytes((protocol,)) + number.to_bytes(36, "big")


@pytest.fixture
def memory() -> Iterator[FlowMemory]:
    with closing(FlowMemory()) as made:
        yield made


def later(memory: FlowMemory, tunnels: tuple[str, ...] = TUNNELS) -> FlowTable:
    """As the next process makes it."""
    table = FlowTable()
    with closing(FlowMemory(os.dup(memory.file.fd))) as mapped:
        mapped.replay(table, tunnels, NOW)
    return table


def owner(table: FlowTable, key: bytes) -> str:
    """The tunnel that a flow is on; the new ones are on 'new'."""
    return table.tunnel(key, 0, NOW + 1, "new")


def test_flows_stay_where_they_began(memory: FlowMemory) -> None:
    table = FlowTable(memory=memory)
    for number, tunnel in ((1, "a"), (2, "b"), (3, "a")):
        table.tunnel(flow(number), 0, NOW, tunnel)
    found = later(memory)
    assert [owner(found, flow(number)) for number in (1, 2, 3, 4)] == ["a", "b", "a", "new"]


def test_each_flow_is_in_one_place(memory: FlowMemory) -> None:
    table = FlowTable(memory=memory)
    for at in range(5):
        table.tunnel(flow(1), 0, NOW + at, "a")
    table.tunnel(flow(2, TCP), SYN, NOW, "a")
    table.tunnel(flow(2, TCP), FIN, NOW, "a")
    table.tunnel(flow(2, TCP), SYN, NOW, "b")
    assert sorted(memory._used())[0][0] == 0
    assert len(list(memory._used())) == 2


def test_what_is_over_makes_room(memory: FlowMemory) -> None:
    table = FlowTable(memory=memory)
    table.tunnel(flow(1), 0, NOW, "a")
    table.tunnel(flow(2, TCP), FIN, NOW, "a")
    table.sweep(NOW + CLOSING_S + 1)
    assert [key for _, _, key in memory._used()] == [flow(1)]
    table.sweep(NOW + UDP_IDLE_S + 1)
    assert list(memory._used()) == []
    table.tunnel(flow(3), 0, NOW, "b")
    assert [slot for slot, _, _ in memory._used()] in ([0], [1])


def test_a_flow_that_lives_long_is_known_however_many_come_and_go(memory: FlowMemory) -> None:
    with closing(FlowMemory(most=8)) as small:
        table = FlowTable(most=8, memory=small)
        for number in range(100):
            table.tunnel(flow(0), 0, NOW, "a")
            table.tunnel(flow(1 + number), 0, NOW, "b")
        found = FlowTable()
        small.replay(found, TUNNELS, NOW)
        assert len(found) == 8
        assert owner(found, flow(0)) == "a"


def test_without_room_a_flow_is_not_kept_and_works(memory: FlowMemory) -> None:
    with closing(FlowMemory(most=1)) as small:
        table = FlowTable(memory=small)
        for number in (1, 2):
            table.tunnel(flow(number), 0, NOW, "a")
        assert table.tunnel(flow(2), 0, NOW, "b") == "a"
        table.release("a")
        assert list(small._used()) == []


def test_one_that_was_cut_off_in_the_middle_is_not_there(memory: FlowMemory) -> None:
    table = FlowTable(memory=memory)
    table.tunnel(flow(1), 0, NOW, "a")
    memory._view[0] = 0
    assert len(later(memory)) == 0


def test_ports_that_are_used_again_are_another_flow(memory: FlowMemory) -> None:
    table = FlowTable(memory=memory)
    table.tunnel(flow(1, TCP), SYN, NOW, "a")
    table.tunnel(flow(1, TCP), SYN, NOW, "b")
    assert owner(later(memory), flow(1, TCP)) == "b"


@pytest.mark.parametrize(("but_tcp", "left"), [(False, ["new", "new"]), (True, ["new", "a"])])
def test_a_tunnel_that_has_failed_has_given_its_flows_up(
    memory: FlowMemory, but_tcp: bool, left: list[str]
) -> None:
    table = FlowTable(memory=memory)
    table.tunnel(flow(1), 0, NOW, "a")
    table.tunnel(flow(2, TCP), SYN, NOW, "a")
    table.tunnel(flow(3), 0, NOW, "b")
    table.release("a", but_tcp=but_tcp)
    table.tunnel(flow(4), 0, NOW, "a")
    found = later(memory)
    assert [owner(found, flow(1)), owner(found, flow(2, TCP))] == left
    assert [owner(found, flow(3)), owner(found, flow(4))] == ["b", "a"]


def test_flows_of_a_router_that_is_gone_are_new(memory: FlowMemory) -> None:
    table = FlowTable(memory=memory)
    table.tunnel(flow(1), 0, NOW, "a")
    assert owner(later(memory, ("b",)), flow(1)) == "new"
    assert list(memory._used()) == []


steps = st.lists(
    st.one_of(
        st.tuples(st.just("given"), st.integers(0, 8), st.sampled_from(TUNNELS)),
        st.tuples(st.just("released"), st.sampled_from([0, TCP]), st.sampled_from(TUNNELS)),
    ),
    max_size=40,
)


@given(steps)
def test_the_next_process_has_the_same_table(done: list[tuple[str, int, str]]) -> None:
    with closing(FlowMemory()) as memory:
        table = FlowTable(memory=memory)
        keys = [flow(number, TCP if number % 2 else UDP) for number in range(9)]
        for what, number, tunnel in done:
            if what == "given":
                table.tunnel(keys[number], SYN if number % 2 else 0, NOW, tunnel)
            else:
                table.release(tunnel, but_tcp=bool(number))
        found = later(memory)
        assert [owner(found, key) for key in keys] == [owner(table, key) for key in keys]
