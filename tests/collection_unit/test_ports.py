"""What the roles write for a router with one port, and for one with several."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ROLES = Path("ansible_collections/nrs/network_routing/roles")
GIVEN = {
    "_common_unit": "routing_server",
    "_common_unit_description": "a router",
    "_common_unit_tunnel": True,
    "_common_unit_ports": "{{ _routing_server_ports }}",
    "_common_unit_settings": [],
    "_common_release_stamp": "1",
    "_common_unit_stamp": "0a",
    "_common_firewall_stamp": "0b",
    "_common_host": {"interpreter": "/usr/bin/python3.11", "library": "/usr/lib/python3.11"},
    "_common_management_addresses": [],
    "_common_firewall_protocol": "udp",
    "_common_firewall_ports": "{{ _routing_server_ports }}",
    "_common_firewall_sources": ["192.0.2.0/24"],
    "routing_server_tunnel_id": 1,
    "routing_server_egress_interface": "eth1",
    "nrs_load_balancer_urls": ["https://192.0.2.10:8080"],
    "nrs_network_controller_urls": [],
    "nrs_ca_file": "",
    "nrs_key_epoch": 0,
    "_common_has_previous_psk": False,
}
TEMPLATES = {
    "unit": "common/templates/agent.service.j2",
    "rules": "common/templates/firewall.nft.j2",
    "file": "routing_server/templates/routing_server.yaml.j2",
}


def written(tools: Any, collections: Path, directory: Path, **given: Any) -> dict[str, list[str]]:
    """The lines of each file."""
    roles = collections / ROLES
    files = [
        str(roles / role / name)
        for role in ("common", "routing_server")
        for name in ("defaults/main.yml", "vars/main.yml")
    ]
    tasks = [
        {
            "ansible.builtin.template": {
                "src": str(roles / template),
                "dest": str(directory / name),
                "mode": "0600",
            }
        }
        for name, template in TEMPLATES.items()
    ]
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars_files": files,
        "tasks": [{**task, "vars": {**GIVEN, **given}} for task in tasks],
    }
    playbook = directory / "play.json"
    playbook.write_text(json.dumps([play]))
    tools.playbook(collections, playbook)
    return {
        name: [line.strip() for line in (directory / name).read_text("utf-8").splitlines()]
        for name in TEMPLATES
    }


@pytest.mark.parametrize(
    ("given", "rule", "line", "more"),
    [
        ({}, "{ 51820 }", "bind_port: 51820", ""),
        ({"routing_server_bind_port": "4500"}, "{ 4500 }", "bind_port: 4500", ""),
        (
            {"routing_server_bind_ports": [51820, "443"]},
            "{ 51820, 443 }",
            "bind_ports: [51820, 443]",
            " CAP_NET_BIND_SERVICE",
        ),
    ],
)
def test_the_unit_may_use_its_ports_and_the_firewall_opens_them(
    tools: Any,
    installed: Path,
    tmp_path: Path,
    given: dict[str, Any],
    rule: str,
    line: str,
    more: str,
) -> None:
    found = written(tools, installed, tmp_path, **given)
    accepted = f'ip saddr {{ 192.0.2.0/24 }} udp dport {rule} accept comment "0b"'
    assert accepted in found["rules"]
    assert line in found["file"]
    assert sum(one.startswith("bind_port") for one in found["file"]) == 1
    for kind in ("AmbientCapabilities", "CapabilityBoundingSet"):
        assert f"{kind}=CAP_NET_ADMIN CAP_NET_RAW{more}" in found["unit"]
