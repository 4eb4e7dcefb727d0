from __future__ import annotations

import pytest

from lab import faults
from lab.topology import EGRESS, INTERNET, MANAGEMENT, lab

TOPOLOGY = lab()


def segments(one, other):
    return [
        segment.name
        for segment in faults.shared_segments(TOPOLOGY, TOPOLOGY.host(one), TOPOLOGY.host(other))
    ]


@pytest.mark.parametrize(
    ("one", "other", "where"),
    [
        ("endpoint_1", "router_1", [INTERNET]),
        ("endpoint_1", "endpoint_2", [INTERNET]),
        ("router_1", "business", [EGRESS]),
        ("router_1", "router_2", [INTERNET, EGRESS]),
        ("router_1", "lb", [MANAGEMENT]),
        ("endpoint_1", "business", [MANAGEMENT]),
    ],
)
def test_faults_apply_where_data_flows(one, other, where):
    assert segments(one, other) == where


def test_pairs_cover_every_uplink_both_ways_and_never_mix_families():
    internet = TOPOLOGY.segment(INTERNET)
    found = faults.pairs(internet, TOPOLOGY.host("endpoint_1"), TOPOLOGY.host("router_1"))
    assert sorted(found) == sorted(
        [
            ("192.0.2.2", "192.0.2.134"),
            ("192.0.2.6", "192.0.2.134"),
            ("192.0.2.134", "192.0.2.2"),
            ("192.0.2.134", "192.0.2.6"),
            ("2001:db8:1:10::2", "2001:db8:2:1::2"),
            ("2001:db8:1:11::2", "2001:db8:2:1::2"),
            ("2001:db8:2:1::2", "2001:db8:1:10::2"),
            ("2001:db8:2:1::2", "2001:db8:1:11::2"),
        ]
    )


def test_one_way_leaves_the_other_alone():
    internet = TOPOLOGY.segment(INTERNET)
    endpoint, router = TOPOLOGY.host("endpoint_1"), TOPOLOGY.host("router_1")
    up, down = (
        faults.one_way(internet, endpoint, router),
        faults.one_way(internet, router, endpoint),
    )
    assert {b for _, b in up} == {a for a, _ in down} == {"192.0.2.134", "2001:db8:2:1::2"}
    assert sorted(up + down) == sorted(faults.pairs(internet, endpoint, router))
    assert not set(up) & set(down)


def test_bridges_filter_in_the_bridge_family():
    assert "add table bridge nrs_lab_faults" in faults.table(TOPOLOGY.segment(EGRESS))
    assert "add table inet nrs_lab_faults" in faults.table(TOPOLOGY.segment(INTERNET))


def test_ending_a_blackhole_works_where_none_is():
    text = faults.script(TOPOLOGY.segment(INTERNET), [("192.0.2.2", "192.0.2.134")], drop=False)
    element = "element inet nrs_lab_faults pairs4 { 192.0.2.2 . 192.0.2.134 }"
    assert text.splitlines()[-2:] == [f"add {element}", f"delete {element}"]


def test_dropped_pairs_are_named_by_their_hosts():
    dropped = [("192.0.2.2", "192.0.2.134"), ("192.0.2.134", "192.0.2.2"), ("192.0.2.99", "::1")]
    assert faults.affected(TOPOLOGY, TOPOLOGY.segment(INTERNET), dropped) == {
        frozenset({"endpoint_1", "router_1"})
    }
