from __future__ import annotations

from lab import plan
from lab.topology import Route


def link(name, *addresses, up=True):
    infos = [
        {"local": address.partition("/")[0], "prefixlen": int(address.partition("/")[2])}
        for address in addresses
    ]
    return {"ifname": name, "flags": ["BROADCAST", *(["UP"] if up else [])], "addr_info": infos}


ROUTE = Route("default", "192.0.2.1", "up0", 100)


def test_an_interface_as_it_should_be_needs_nothing():
    links = [link("up0", "192.0.2.2/30", "2001:db8:1:10::2/64", "fe80::1/64")]
    assert plan.interface(links, "up0", ["192.0.2.2/30", "2001:db8:1:10::2/64"]) == []


def test_spelling_of_an_address_does_not_matter():
    links = [link("up0", "2001:db8:1:10::2/64")]
    assert plan.interface(links, "up0", ["2001:0db8:1:10:0::2/64"]) == []


def test_a_missing_address_is_added_and_only_ipv6_skips_duplicate_detection():
    links = [link("up0", "fe80::1/64")]
    assert plan.interface(links, "up0", ["192.0.2.2/30", "2001:db8::2/64"]) == [
        "address add 192.0.2.2/30 dev up0",
        "address add 2001:db8::2/64 dev up0 nodad",
    ]


def test_another_prefix_length_is_another_address():
    links = [link("up0", "192.0.2.2/24")]
    assert plan.interface(links, "up0", ["192.0.2.2/30"]) == ["address add 192.0.2.2/30 dev up0"]


def test_a_link_that_is_down_is_brought_up():
    assert plan.interface([link("up0", up=False)], "up0", []) == ["link set up0 up"]


def test_a_link_made_since_the_listing_gets_everything():
    assert plan.interface([], "up0", ["192.0.2.2/30"]) == [
        "address add 192.0.2.2/30 dev up0",
        "link set up0 up",
    ]


def test_a_route_that_exists_is_left_alone():
    present = [{"dst": "default", "gateway": "192.0.2.1", "dev": "up0", "metric": 100}]
    assert plan.routes(present, [ROUTE]) == []


def test_a_route_with_another_metric_or_gateway_does_not_count():
    wanted = ["route add default via 192.0.2.1 dev up0 metric 100"]
    for changed in ({"metric": 200}, {"gateway": "192.0.2.5"}, {"dev": "up1"}):
        present = [
            {"dst": "default", "gateway": "192.0.2.1", "dev": "up0", "metric": 100} | changed
        ]
        assert plan.routes(present, [ROUTE]) == wanted
