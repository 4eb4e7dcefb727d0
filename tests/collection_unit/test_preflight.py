"""Mistakes in an inventory that are refused before anything is changed, in a check run too."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

PROBE = Path("ansible_collections/nrs/network_routing/roles/common/files/probe_host.py")
SITE = "nrs.network_routing.site"
# What the roles know of a host when its own role begins.
PROBED = {"has_tun": True, "has_nft": True, "interfaces": ["eth0", "eth1", "lo", "tun0"]}
VARIABLES = {
    "routing_servers": {
        "routing_server_tunnel_id": 1,
        "routing_server_tun_ipv4": "10.10.1.1",
        "routing_server_tun_ipv6": "fd00:10:1::1",
        "routing_server_external_ip": "2001:db8:2::1",
        "routing_server_egress_interface": "eth1",
    },
    "network_access_endpoints": {
        "network_access_endpoint_tun_ipv4": "10.10.100.1",
        "network_access_endpoint_tun_ipv6": "fd00:10:100::1",
        "network_access_endpoint_routers": [{"router_id": "router_1"}],
    },
    "load_balancers": {},
}
HOSTS = {"routing_servers": "router_1", "network_access_endpoints": "endpoint_1"}
ROLES = {"routing_servers": "routing_server", "network_access_endpoints": "network_access_endpoint"}
UNKNOWN = "{} has variables that no role knows: {}."


def inventory(directory: Path, group: str = "all", given: Mapping[str, Any] | None = None) -> Path:
    """Three hosts, with some more variables given to one of their groups."""
    groups = {
        name: {"hosts": {HOSTS.get(name, "lb"): None}, "vars": {**variables}}
        for name, variables in VARIABLES.items()
    }
    everybody = {"vars": {"ansible_connection": "local"}, "children": {name: {} for name in groups}}
    content: dict[str, dict[str, Any]] = {**groups, "all": everybody}
    content[group]["vars"].update(given or {})
    file = directory / "hosts.json"
    file.write_text(json.dumps(content))
    return file


def role(directory: Path, group: str) -> Path:
    """A play of the checks that a role makes by itself."""
    play = {
        "hosts": group,
        "gather_facts": False,
        "vars": {"__common_probe": {"stdout": json.dumps(PROBED)}},
        "tasks": [
            {
                "ansible.builtin.import_role": {
                    "name": f"nrs.network_routing.{ROLES[group]}",
                    "tasks_from": "preflight.yml",
                }
            }
        ],
    }
    file = directory / "play.json"
    file.write_text(json.dumps([play]))
    return file


@pytest.mark.parametrize(
    ("group", "name", "nearest"),
    [
        ("routing_servers", "routing_server_egres_interface", "routing_server_egress_interface"),
        ("routing_servers", "routing_servers_bind_port", "routing_server_bind_port"),
        # A role that the host does not have, and what all hosts have.
        ("routing_servers", "load_balancer_weight", "load_balancer_weights"),
        ("routing_servers", "nrs_signing_keys", "nrs_signing_key"),
    ],
)
def test_a_variable_that_no_role_knows(
    tools: Any, installed: Path, tmp_path: Path, group: str, name: str, nearest: str
) -> None:
    # That its value could not even be made is of no importance.
    hosts = inventory(tmp_path, group, {name: "{{ nowhere.known }}"})
    found = tools.refusals(installed, "-i", hosts, SITE, "--check", "--limit", "router_1")
    assert found == {"router_1": UNKNOWN.format("router_1", f"{name} (nearest: {nearest})")}


def test_extra_variables_count(tools: Any, installed: Path, tmp_path: Path) -> None:
    words = (SITE, "--check", "-e", "network_access_endpoint_rotues=[]")
    found = tools.refusals(installed, "-i", inventory(tmp_path), *words)
    near = "network_access_endpoint_rotues (nearest: network_access_endpoint_routes)"
    hosts = ("endpoint_1", "lb", "router_1")
    assert found == {host: UNKNOWN.format(host, near) for host in hosts}


def test_networks_that_every_host_is_given(tools: Any, installed: Path, tmp_path: Path) -> None:
    given = {"nrs_firewall_api_networks": ["192.0.2.7/24", "office"]}
    words = ("-i", inventory(tmp_path, given=given), SITE, "--check", "--limit", "lb")
    assert tools.refusals(installed, *words) == {
        "lb": "lb: nrs_firewall_api_networks: 192.0.2.7/24 has host bits set;"
        " 192.0.2.0/24 was probably meant;"
        " nrs_firewall_api_networks: office is no network such as 10.0.0.0/8 or fd00::/8."
    }


def test_who_would_call_a_service_in_clear_that_speaks_tls(
    tools: Any, installed: Path, tmp_path: Path
) -> None:
    urls = ["http://lb:8080", "http://192.0.2.77:8080", "https://lb:8080"]
    given = {"nrs_load_balancer_urls": urls}
    words = ("-i", inventory(tmp_path, given=given), SITE, "--check", "--limit", "router_1")
    found = tools.refusals(installed, *words)["router_1"]
    assert found.startswith("router_1 is to call https://lb:8080 by http://, but there TLS is")


def test_a_token_for_all_to_share_is_refused(tools: Any, installed: Path, tmp_path: Path) -> None:
    hosts = inventory(tmp_path, given={"nrs_api_token": "x" * 43})
    found = tools.refusals(installed, "-i", hosts, SITE, "--check", "--limit", "lb")
    assert found["lb"].startswith("lb has nrs_api_token, but hosts do not share a token any longer")


@pytest.mark.parametrize(
    ("name", "value"), [("nrs_signing_key", "not PEM"), ("nrs_token_renew_days", 0)]
)
def test_what_tokens_cannot_be_made_with(
    tools: Any, installed: Path, tmp_path: Path, name: str, value: Any
) -> None:
    hosts = inventory(tmp_path, given={name: value})
    found = tools.refusals(installed, "-i", hosts, SITE, "--check", "--limit", "lb")
    assert name in found["lb"]


def test_networks_behind_endpoints_that_overlap(
    tools: Any, installed: Path, tmp_path: Path
) -> None:
    given = {"network_access_endpoint_advertise": ["192.168.7.0/24", "192.168.0.0/16"]}
    words = ("-i", inventory(tmp_path, given=given), SITE, "--check", "--limit", "lb")
    said = "192.168.7.0/24 of endpoint_1 and 192.168.0.0/16 of endpoint_1"
    found = tools.refusals(installed, *words)
    assert found == {"lb": f"network_access_endpoint_advertise overlaps: {said}."}


def test_apis_that_would_refuse_their_own_hosts(
    tools: Any, installed: Path, tmp_path: Path
) -> None:
    words = (SITE, "--check", "--limit", "lb")
    hosts = inventory(tmp_path, "load_balancers", {"ansible_host": "10.10.0.7"})
    said = tools.refusals(installed, "-i", hosts, *words)["lb"]
    assert said.startswith("nrs_api_refused_networks holds the management address of a host")
    assert "would refuse: 10.10.0.7." in said
    given = {"ansible_host": "10.10.0.7", "nrs_api_refused_networks": []}
    hosts = inventory(tmp_path, "load_balancers", given)
    assert "nrs_api_refused" not in tools.refusals(installed, "-i", hosts, *words).get("lb", "")


@pytest.mark.parametrize(
    ("group", "given", "said"),
    [
        ("routing_servers", {}, ""),
        ("network_access_endpoints", {}, ""),
        (
            "routing_servers",
            {"routing_server_egress_interface": "eth7"},
            "routing_server_egress_interface: router_1 has no interface eth7 that leads on,"
            " but eth0, eth1.",
        ),
        (
            "routing_servers",
            {"routing_server_egress_interface": "tun0"},
            "routing_server_egress_interface: router_1 has no interface tun0 that leads on,"
            " but eth0, eth1.",
        ),
        (
            "routing_servers",
            {
                "routing_server_endpoint_networks": ["10.10.1.1/16", "fd00::/8"],
                "routing_server_protected_networks": ["203.0.113.7/24"],
                "routing_server_allowed_networks": ["2001:db8::1/32"],
            },
            "router_1: routing_server_endpoint_networks: 10.10.1.1/16 has host bits set;"
            " 10.10.0.0/16 was probably meant;"
            " routing_server_protected_networks: 203.0.113.7/24 has host bits set;"
            " 203.0.113.0/24 was probably meant;"
            " routing_server_allowed_networks: 2001:db8::1/32 has host bits set;"
            " 2001:db8::/32 was probably meant.",
        ),
        (
            "network_access_endpoints",
            {"network_access_endpoint_advertise": ["192.168.7.1/24"]},
            "endpoint_1: network_access_endpoint_advertise: 192.168.7.1/24 has host bits set;"
            " 192.168.7.0/24 was probably meant.",
        ),
        (
            "routing_servers",
            {"routing_server_endpoint_prefixes": ["192.168.7.1/16"]},
            "router_1: routing_server_endpoint_prefixes: 192.168.7.1/16 has host bits set;"
            " 192.168.0.0/16 was probably meant.",
        ),
        (
            "network_access_endpoints",
            {"network_access_endpoint_routes": ["198.51.100.10/24"]},
            "endpoint_1: network_access_endpoint_routes: 198.51.100.10/24 has host bits set;"
            " 198.51.100.0/24 was probably meant.",
        ),
        (
            "network_access_endpoints",
            {
                "network_access_endpoint_routers": [
                    {"router_id": "router_1", "external_ip": "fe80::1%eth7"}
                ]
            },
            "network_access_endpoint_routers of endpoint_1: router_id router_1 has external_ip"
            " fe80::1%eth7, and this host has no interface eth7 (eth0, eth1, lo, tun0).",
        ),
    ],
)
def test_what_a_role_checks_itself(
    tools: Any, installed: Path, tmp_path: Path, group: str, given: dict[str, Any], said: str
) -> None:
    words = ("-i", inventory(tmp_path, group, given), role(tmp_path, group), "--check")
    assert tools.refusals(installed, *words) == ({HOSTS[group]: said} if said else {})


def test_the_probe_names_interfaces_and_files_of_the_host(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "psk").touch()
    nowhere = tmp_path / "releases"
    command = (sys.executable, installed / PROBE, "/usr/local/bin/nrs", tmp_path, nowhere)
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    links = Path("/sys/class/net").iterdir()
    assert sorted(found["interfaces"]) == sorted(link.name for link in links if link.is_symlink())
    assert (found["files"], found["releases"]) == (["psk"], [])
