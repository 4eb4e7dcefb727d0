"""What an endpoint's role puts back of the host's forwarding once less is advertised."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

V4, V6 = "net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"
RA, RMEM = "net/ipv6/conf/up0/accept_ra", "net/core/rmem_max"
HOSTS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "ipv4_alone": {"network_access_endpoint_advertise": ["192.168.7.0/24"]},
    "both": {"network_access_endpoint_advertise": ["192.168.7.0/24", "fd00:7::/64"]},
    "router_too": {},
    "set_for_another_reason": {"nrs_kernel_parameters": {V4: 1, RMEM: 26214400}},
}
# What is still to be put back at the end, by an uninstallation.
KEPT = {
    "nothing": {RMEM},
    "ipv4_alone": {RMEM, V4},
    "both": {RMEM, V4, V6, RA},
    "router_too": {RMEM, V4, V6, RA},
    "set_for_another_reason": {RMEM, V4},
}


def test_what_nothing_needs_is_put_back(tools: Any, installed: Path, tmp_path: Path) -> None:
    for host in HOSTS:
        # No parameter has such a value: each counts as set by somebody else, and is left.
        state = {key: ["0", "not what it is"] for key in (V4, V6, RA, RMEM)}
        (tmp_path / host).write_text(json.dumps(state))
    groups = {
        "network_access_endpoints": {"hosts": HOSTS},
        "routing_servers": {"hosts": {"router_too": {}}},
    }
    extra = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "nrs_python": sys.executable,
        "__common_probe": {"stdout": json.dumps({"accept_ra": {"all": "1", "up0": "2"}})},
        "_common_kernel_state_file": f"{tmp_path}/{{{{ inventory_hostname }}}}",
    }
    role = {"name": "nrs.network_routing.network_access_endpoint"}
    task = {"ansible.builtin.import_role": {**role, "tasks_from": "unadvertised.yml"}}
    play = [{"hosts": "network_access_endpoints", "gather_facts": False, "tasks": [task]}]
    for name, content in (("hosts", groups), ("extra", extra), ("play", play)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    hosts, given, plays = (tmp_path / f"{name}.json" for name in ("hosts", "extra", "play"))
    tools.playbook(installed, "-i", hosts, "-e", f"@{given}", plays)
    assert {host: set(json.loads((tmp_path / host).read_text())) for host in HOSTS} == KEPT
