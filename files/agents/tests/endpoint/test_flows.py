from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrs.endpoint.flows import (
    ACK,
    CLOSING_S,
    FIN,
    OTHER_IDLE_S,
    RST,
    SYN,
    TCP,
    TCP_IDLE_S,
    UDP,
    UDP_IDLE_S,
    FlowTable,
)

ICMP = 1


def flow(protocol: int, number: int = 0) -> bytes:
    return bytes((protocol,)) + number.to_bytes(12, "big")


@pytest.mark.parametrize(
    ("protocol", "idle"), [(TCP, TCP_IDLE_S), (UDP, UDP_IDLE_S), (ICMP, OTHER_IDLE_S)]
)
def test_a_flow_stays_where_it_began_until_it_is_idle(protocol: int, idle: float) -> None:
    table = FlowTable()
    assert table.tunnel(flow(protocol), 0, 0.0, "a") == "a"
    assert table.tunnel(flow(protocol), 0, idle, "b") == "a"
    assert table.tunnel(flow(protocol), 0, 2 * idle, "b") == "a"
    assert table.tunnel(flow(protocol), 0, 3 * idle + 0.001, "b") == "b"
    assert (table.count("a"), table.count("b")) == (0, 1)


def test_new_flows_go_where_the_endpoint_sends_now() -> None:
    table = FlowTable()
    table.tunnel(flow(TCP, 1), SYN, 0.0, "a")
    assert table.tunnel(flow(TCP, 2), SYN, 0.0, "b") == "b"
    assert table.tunnel(flow(TCP, 1), ACK, 0.0, "b") == "a"
    assert (table.count("a"), table.count("b"), len(table)) == (1, 1, 2)


@pytest.mark.parametrize("end", [FIN | ACK, RST, RST | ACK])
def test_a_closed_flow_is_kept_for_what_follows_and_no_longer(end: int) -> None:
    table = FlowTable()
    table.tunnel(flow(TCP), SYN, 0.0, "a")
    assert table.tunnel(flow(TCP), end, 1.0, "b") == "a"
    assert table.tunnel(flow(TCP), ACK, 1.0 + CLOSING_S, "b") == "a"
    assert table.tunnel(flow(TCP), ACK, 1.1 + 2 * CLOSING_S, "b") == "b"
    assert table.tunnel(flow(TCP), ACK, 1.1 + 4 * CLOSING_S, "a") == "b"  # open again


def test_ports_that_are_used_again_are_a_new_flow() -> None:
    table = FlowTable()
    table.tunnel(flow(TCP), SYN, 0.0, "a")
    table.tunnel(flow(TCP), FIN | ACK, 1.0, "a")
    assert table.tunnel(flow(TCP), SYN, 2.0, "b") == "b"
    assert table.tunnel(flow(TCP), ACK, 2.0 + 2 * CLOSING_S, "a") == "b"
    assert table.tunnel(flow(TCP), SYN | ACK, 30.0, "a") == "b"  # an answer begins nothing


def test_a_released_tunnel_gives_all_its_flows_up() -> None:
    table = FlowTable()
    for number in range(5):
        table.tunnel(flow(UDP, number), 0, 0.0, "a" if number < 3 else "b")
    assert table.release("a") == [flow(UDP, number) for number in (2, 1, 0)]
    assert table.tunnel(flow(UDP, 0), 0, 0.0, "b") == "b"
    assert table.tunnel(flow(UDP, 4), 0, 0.0, "a") == "b"
    assert (table.count("a"), table.count("b")) == (0, 3)
    assert table.release("nobody") == []


def test_the_oldest_goes_when_there_are_too_many() -> None:
    table = FlowTable(most=3)
    for number in range(3):
        table.tunnel(flow(UDP, number), 0, float(number), "a")
    table.tunnel(flow(UDP, 0), 0, 3.0, "b")  # heard of again: now flow 1 is the oldest
    table.tunnel(flow(UDP, 3), 0, 4.0, "b")
    assert len(table) == 3
    assert table.tunnel(flow(UDP, 0), 0, 5.0, "b") == "a"
    assert table.tunnel(flow(UDP, 1), 0, 5.0, "b") == "b"


def test_flows_that_are_over_are_forgotten() -> None:
    table = FlowTable()
    table.tunnel(flow(ICMP), 0, 0.0, "a")
    table.tunnel(flow(TCP), SYN, 0.0, "a")
    table.sweep(OTHER_IDLE_S)
    assert table.count("a") == 2
    table.sweep(OTHER_IDLE_S + 0.1)
    assert (table.count("a"), len(table)) == (1, 1)


def test_a_sweep_looks_at_some_and_the_next_ones_at_the_rest() -> None:
    table = FlowTable()
    for number in range(3 * 2000 - 1):
        table.tunnel(flow(UDP, number), 0, 0.0, "a")
    left = []
    for _ in range(3):
        table.sweep(UDP_IDLE_S + 1)
        left.append(len(table))
    assert left == [3999, 1999, 0]


def test_connections_that_are_closed_are_not_among_the_released() -> None:
    """Whoever is told of them would be told in vain, and the others later."""
    table = FlowTable()
    table.tunnel(flow(TCP, 1), SYN, 0.0, "a")
    table.tunnel(flow(TCP, 2), SYN, 0.0, "a")
    table.tunnel(flow(TCP, 1), FIN | ACK, 1.0, "a")
    assert table.release("a") == [flow(TCP, 2)]
    assert (table.count("a"), len(table)) == (0, 0)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([TCP, UDP, ICMP]),
            st.integers(0, 5),
            st.sampled_from([0, SYN, ACK, FIN, RST]),
            st.sampled_from([0.0, 1.0, 20.0, 200.0, 4000.0]),
            st.sampled_from(["a", "b"]),
            st.integers(0, 12),
        ),
        max_size=60,
    )
)
def test_counts_are_those_of_the_flows(steps: list[tuple[int, int, int, float, str, int]]) -> None:
    table, now = FlowTable(most=4), 0.0
    for protocol, number, flags, passed, fresh, turn in steps:
        now += passed
        chosen = table.tunnel(flow(protocol, number), flags, now, fresh)
        assert table.tunnel(flow(protocol, number), 0, now, "other") == chosen
        if turn == 0:
            table.release("a")
        elif turn == 1:
            table.sweep(now)
        counts = table.count("a") + table.count("b")
        assert counts == len(table) <= 4
