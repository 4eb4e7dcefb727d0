"""What the benchmark does to the lab's networks, as far as it is pure."""

from __future__ import annotations

import pytest

from bench.failover import faults
from bench.failover.false_failovers import redirection
from bench.failover.jitter import Delay
from bench.failover.starved import ends_of
from lab.topology import lab


def test_a_packet_is_late_by_what_was_drawn_and_never_overtakes() -> None:
    shares = iter([0.5, 1.0, 0.0])
    delay = Delay(0.030, lambda: next(shares))
    assert delay.leaves(10.000) == pytest.approx(10.015)
    assert delay.leaves(10.049) == pytest.approx(10.064)
    assert delay.leaves(10.050) == pytest.approx(10.080)
    assert delay.leaves(10.099) == pytest.approx(10.129)
    # Nothing more is added from here on, and what is under way comes first.
    assert delay.leaves(10.101) == pytest.approx(10.129)
    assert delay.leaves(10.140) == pytest.approx(10.140)


def test_a_tunnel_is_led_through_the_relay_and_nothing_goes_beside_it() -> None:
    direct, bent = redirection("192.0.2.14", "192.0.2.142", 61001)
    assert "direct ip saddr 192.0.2.142 ip daddr 192.0.2.14 udp sport 51820 drop" in direct
    assert "bent ip saddr 192.0.2.14 ip daddr 192.0.2.142 udp dport 51820" in bent
    assert bent.endswith("redirect to :61001")
    assert all(" ip6 " in rule for rule in redirection("2001:db8::1", "2001:db8::2", 61000))


def test_a_host_that_is_gone_is_silent_towards_all_on_all_its_networks() -> None:
    topology = lab()
    router = topology.host("router_1")
    found = {segment.name: pairs for segment, pairs in faults.everything_of(topology, router)}
    assert next(iter(found)) == "internet"
    assert set(found) == {"internet", "egress", "management"}
    own = {address for interface in router.interfaces for address in interface.plain_addresses}
    for segment, pairs in found.items():
        others = {
            address
            for host, interface in topology.attached(segment)
            if host.name != router.name
            for address in interface.plain_addresses
        }
        assert all((a in own) != (b in own) for a, b in pairs)
        assert {a for a, _ in pairs} - own == {b for _, b in pairs} - own == others


@pytest.mark.parametrize(
    ("processors", "near", "far"),
    [([3], {3}, {3}), ([0, 1], {0}, {1}), ([0, 1, 2], {0}, {1, 2}), ([0, 1, 2, 3], {0, 1}, {2, 3})],
)
def test_each_end_has_processors_of_its_own_where_there_are_two(
    processors: list[int], near: set[int], far: set[int]
) -> None:
    assert ends_of(processors) == (near, far)
