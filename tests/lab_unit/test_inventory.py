"""The lab's inventory and its topology describe the same hosts."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface
from pathlib import Path

import pytest
import yaml

from lab.topology import EGRESS, INTERNET, MANAGEMENT, lab

INVENTORY = Path(__file__).resolve().parents[2] / "inventories" / "lab"
GROUPS = yaml.safe_load((INVENTORY / "hosts.yml").read_text())["all"]["children"]
TOPOLOGY = lab()
ROUTERS = GROUPS["routing_servers"]["hosts"]
ENDPOINTS = GROUPS["network_access_endpoints"]["hosts"]


def addresses(name, segment):
    return [a for i in TOPOLOGY.host(name).on(segment) for a in i.plain_addresses]


def test_same_hosts():
    listed = [name for group in GROUPS.values() for name in group["hosts"]]
    assert sorted(listed) == sorted(host.name for host in TOPOLOGY.hosts)


def test_hosts_are_reached_over_the_management_bridge():
    for group in GROUPS.values():
        for name, variables in group["hosts"].items():
            assert variables["ansible_host"] in addresses(name, MANAGEMENT)


@pytest.mark.parametrize("name", ROUTERS)
def test_routers_state_their_own_addresses(name):
    variables = ROUTERS[name]
    assert variables["routing_server_external_ip"] in addresses(name, INTERNET)
    assert variables["routing_server_internal_ip"] in addresses(name, EGRESS)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_an_endpoint_has_one_tunnel_on_each_uplink(name):
    entries = ENDPOINTS[name]["network_access_endpoint_routers"]
    uplinks = [
        interface.name
        for entry in entries
        for interface in TOPOLOGY.host(name).interfaces
        if entry["bind_address"] in interface.plain_addresses
    ]
    assert uplinks == ["up0", "up1"]


@pytest.mark.parametrize("name", ENDPOINTS)
def test_both_ends_of_a_tunnel_are_of_one_family_and_exist(name):
    for entry in ENDPOINTS[name]["network_access_endpoint_routers"]:
        router = ROUTERS[entry["router_id"]]
        far = entry.get("external_ip", router["routing_server_external_ip"])
        assert far in addresses(entry["router_id"], INTERNET)
        assert ip_address(far).version == ip_address(entry["bind_address"]).version


def test_tunnel_addresses_are_unique():
    found = [
        str(ip_interface(value).ip)
        for group in (ROUTERS, ENDPOINTS)
        for variables in group.values()
        for key, value in variables.items()
        if "_tun_ipv" in key
    ]
    assert len(found) == len(set(found)) == 2 * (len(ROUTERS) + len(ENDPOINTS))
