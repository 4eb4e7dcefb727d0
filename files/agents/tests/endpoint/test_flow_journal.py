"""The table of flows as the next process has it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrs.endpoint.flow_journal import MOST_ENTRIES, FlowJournal
from nrs.endpoint.flows import FIN, MOST_FLOWS, SYN, TCP, UDP, FlowTable

NOW = 100.0
TUNNELS = ("a", "b")


def flow(number: int, protocol: int = UDP) -> bytes:
    return bytes((protocol,)) + number.to_bytes(36, "big")


@pytest.fixture
def journal() -> Iterator[FlowJournal]:
    with closing(FlowJournal()) as made:
        yield made


def later(journal: FlowJournal, tunnels: tuple[str, ...] = TUNNELS) -> FlowTable:
    """As the next process makes it."""
    table = FlowTable()
    with closing(FlowJournal(os.dup(journal.file.fd))) as mapped:
        mapped.replay(table, tunnels, NOW)
    return table


def owner(table: FlowTable, key: bytes) -> str:
    """The tunnel that a flow is on; the new ones are on 'new'."""
    return table.tunnel(key, 0, NOW + 1, "new")


def test_flows_stay_where_they_began(journal: FlowJournal) -> None:
    table = FlowTable(journal=journal)
    for number, tunnel in ((1, "a"), (2, "b"), (3, "a")):
        table.tunnel(flow(number), 0, NOW, tunnel)
    found = later(journal)
    assert [owner(found, flow(number)) for number in (1, 2, 3, 4)] == ["a", "b", "a", "new"]


def test_a_packet_of_a_known_flow_is_not_written_down(journal: FlowJournal) -> None:
    table = FlowTable(journal=journal)
    for at in range(5):
        table.tunnel(flow(1), 0, NOW + at, "a")
    table.tunnel(flow(2, TCP), SYN, NOW, "a")
    table.tunnel(flow(2, TCP), FIN, NOW, "a")
    assert journal._written == 2


def test_ports_that_are_used_again_are_another_flow(journal: FlowJournal) -> None:
    table = FlowTable(journal=journal)
    table.tunnel(flow(1, TCP), SYN, NOW, "a")
    table.tunnel(flow(1, TCP), SYN, NOW, "b")
    assert owner(later(journal), flow(1, TCP)) == "b"


@pytest.mark.parametrize(("but_tcp", "left"), [(False, ["new", "new"]), (True, ["new", "a"])])
def test_a_tunnel_that_has_failed_has_given_its_flows_up(
    journal: FlowJournal, but_tcp: bool, left: list[str]
) -> None:
    table = FlowTable(journal=journal)
    table.tunnel(flow(1), 0, NOW, "a")
    table.tunnel(flow(2, TCP), SYN, NOW, "a")
    table.tunnel(flow(3), 0, NOW, "b")
    table.release("a", but_tcp=but_tcp)
    table.tunnel(flow(4), 0, NOW, "a")
    found = later(journal)
    assert [owner(found, flow(1)), owner(found, flow(2, TCP))] == left
    assert [owner(found, flow(3)), owner(found, flow(4))] == ["b", "a"]


def test_flows_of_a_router_that_is_gone_are_new(journal: FlowJournal) -> None:
    table = FlowTable(journal=journal)
    table.tunnel(flow(1), 0, NOW, "a")
    assert owner(later(journal, ("b",)), flow(1)) == "new"


def test_the_oldest_are_written_over(journal: FlowJournal) -> None:
    for number in range(MOST_ENTRIES + 2):
        journal.given(flow(number), "a")
    found = later(journal)
    assert len(found) == MOST_FLOWS
    assert owner(found, flow(MOST_ENTRIES + 1)) == "a"
    assert [owner(found, flow(number)) for number in (0, 1, 2)] == ["new"] * 3


steps = st.lists(
    st.one_of(
        st.tuples(st.just("given"), st.integers(0, 8), st.sampled_from(TUNNELS)),
        st.tuples(st.just("released"), st.sampled_from([0, TCP]), st.sampled_from(TUNNELS)),
    ),
    max_size=40,
)


@given(steps)
def test_the_next_process_has_the_same_table(done: list[tuple[str, int, str]]) -> None:
    with closing(FlowJournal()) as journal:
        table = FlowTable(journal=journal)
        keys = [flow(number, TCP if number % 2 else UDP) for number in range(9)]
        for what, number, tunnel in done:
            if what == "given":
                table.tunnel(keys[number], SYN if number % 2 else 0, NOW, tunnel)
            else:
                table.release(tunnel, but_tcp=bool(number))
        found = later(journal)
        assert [owner(found, key) for key in keys] == [owner(table, key) for key in keys]
