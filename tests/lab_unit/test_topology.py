from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

import pytest

from lab.topology import EGRESS, INTERNET, MANAGEMENT, lab

# RFC 5737, RFC 3849, RFC 4193.
DOCUMENTATION = [
    ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "fd00::/8")
]


def interfaces():
    return [interface for host in lab().hosts for interface in host.interfaces]


def every_address():
    topology = lab()
    yield from (a for segment in topology.segments for a in segment.addresses)
    for interface in interfaces():
        yield from interface.addresses
        yield from interface.gateways


def test_every_address_is_from_a_documentation_prefix():
    for address in every_address():
        inside = ip_interface(address)
        assert any(inside.version == net.version and inside.ip in net for net in DOCUMENTATION)


def test_no_address_is_used_twice():
    addresses = [str(ip_interface(address).ip) for address in every_address()]
    assert len(addresses) == len(set(addresses))


def test_every_interface_has_both_families():
    for interface in interfaces():
        assert {ip_interface(a).version for a in interface.addresses} == {4, 6}


def test_both_ends_of_a_link_are_on_one_subnet():
    for interface in interfaces():
        if interface.gateways:
            here = {ip_interface(a).network for a in interface.addresses}
            assert here == {ip_interface(a).network for a in interface.gateways}


def test_subnets_of_routed_links_do_not_overlap():
    subnets = [ip_interface(a).network for i in interfaces() for a in i.gateways]
    for index, subnet in enumerate(subnets):
        for other in subnets[index + 1 :]:
            assert subnet.version != other.version or not subnet.overlaps(other)


def test_interfaces_on_a_bridge_share_its_subnets():
    for segment in (MANAGEMENT, EGRESS):
        subnets = [
            {ip_interface(a).network for a in interface.addresses}
            for _, interface in lab().attached(segment)
        ]
        assert all(subnet == subnets[0] for subnet in subnets)


def test_a_route_leads_to_the_other_end_of_its_interface():
    for host in lab().hosts:
        for route in host.routes:
            gateways = [ip_interface(a).ip for a in host.interface(route.device).gateways]
            assert ip_address(route.via) in gateways


def test_endpoints_prefer_the_first_uplink_in_both_families():
    for name in ("endpoint_1", "endpoint_2"):
        routes = lab().host(name).routes
        for family in (4, 6):
            defaults = [r for r in routes if r.family == family and r.destination == "default"]
            assert [r.device for r in sorted(defaults, key=lambda r: r.metric)] == ["up0", "up1"]


def test_routers_reach_every_uplink_but_have_no_default_route():
    topology = lab()
    uplinks = [
        ip_address(address)
        for host, interface in topology.attached(INTERNET)
        if host.name.startswith("endpoint")
        for address in interface.plain_addresses
    ]
    assert uplinks
    for name in ("router_1", "router_2", "router_3"):
        prefixes = [ip_network(route.destination) for route in topology.host(name).routes]
        for address in uplinks:
            assert any(address in net for net in prefixes if net.version == address.version)


@pytest.mark.parametrize("name", ["lb", "controller", "business"])
def test_other_hosts_have_no_route_beyond_their_links(name):
    assert lab().host(name).routes == ()


def test_names_fit_in_the_kernel():
    for host in lab().hosts:
        for interface in host.interfaces:
            assert len(interface.name) <= 15
            assert len(host.peer_name(interface)) <= 15


def test_names_at_the_far_end_are_unique_in_their_namespace():
    topology = lab()
    for segment in topology.segments:
        names = [host.peer_name(interface) for host, interface in topology.attached(segment.name)]
        assert len(names) == len(set(names))


def test_hosts_answer_to_inventory_name_and_hostname():
    assert lab().host("router-1") == lab().host("router_1")
    with pytest.raises(KeyError):
        lab().host("router_9")
