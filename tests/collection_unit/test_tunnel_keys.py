"""Which keys of tunnels a run writes, by what it finds on a host."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

BEFORE, NOW = (base64.b64encode(bytes(range(n, n + 32))).decode() for n in (1, 2))
ROUTERS: dict[str, dict[str, str]] = {
    "fresh": {},
    "has_its_own": {"router_key": "k"},
    "has_the_psk_before": {"psk": BEFORE},
    "changes_over": {"router_key": "k", "previous_psk": BEFORE},
    "shares": {"psk": NOW},
    "has_the_psk": {"psk": NOW},
}
ENDPOINTS = {
    "fresh_endpoint": "",
    "of_the_psk_before": BEFORE,
    "of_the_psk": NOW,
}
MODES = "{{ ['device', 'shared'] if inventory_hostname == 'shares' else ['device'] }}"
KINDS = ("defaults", "vars")
ENDPOINT = {
    "network_access_endpoint_tun_ipv4": "10.10.100.1",
    "network_access_endpoint_tun_ipv6": "",
    "network_access_endpoint_advertise": [],
    "network_access_endpoint_endpoint_id": "{{ inventory_hostname }}",
    "network_access_endpoint_routers": [{"router_id": "fresh"}, {"router_id": "shares"}],
}


def own(key: str, epoch: int) -> str:
    """Of the host's id, as a filter makes it."""
    return f"{{{{ '{key}' | nrs.network_routing.router_key(inventory_hostname, {epoch}) }}}}"


def given(roles: Path, directory: Path) -> list[str]:
    """The hosts with what they have, and a play that writes down what they are to have."""
    for host, files in ROUTERS.items():
        (directory / host).mkdir()
        for name, text in files.items():
            (directory / host / name).write_text(text + "\n")
    groups = {
        "routing_servers": {"hosts": {host: {} for host in ROUTERS}},
        "network_access_endpoints": {"hosts": {host: {} for host in ENDPOINTS}},
    }
    extra = {
        **ENDPOINT,
        "routing_server_key_modes": MODES,
        "routing_server_server_id": "{{ inventory_hostname }}",
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "_common_configuration_directory": f"{directory}/{{{{ inventory_hostname }}}}",
        "nrs_psk": NOW,
        "nrs_previous_psk": BEFORE,
        "nrs_key_epoch": 1,
        "nrs_secrets_directory": str(directory / "secrets"),
    }
    variables = {
        "psk": "{{ _common_psk if _routing_server_holds_psk else '' }}",
        "own": own(NOW, 1),
        "own_before": own(BEFORE, 0),
        "held": "{{ _routing_server_held_psk }}",
        "holds": "{{ _routing_server_holds_psk }}",
        "router_key": "{{ _routing_server_key }}",
        "previous_router_key": "{{ _routing_server_previous_key }}",
    }
    wrote = {
        "ansible.builtin.copy": {
            "content": "{{ written | to_json }}",
            "dest": f"{directory}/{{{{ inventory_hostname }}}}.json",
        },
        "vars": {"written": variables},
    }
    device_key = (
        "{{ lookup('vars', 'made_of') | nrs.network_routing.device_key(inventory_hostname,"
        " '10.10.100.1', '', [], 1 if made_of == nrs_psk else 0) }}\n"
    )
    left = {
        "ansible.builtin.copy": {
            "content": device_key,
            "dest": "{{ _common_configuration_directory }}/device_key",
        },
        "vars": {"made_of": "{{ endpoints[inventory_hostname] }}", "endpoints": ENDPOINTS},
        "when": "endpoints[inventory_hostname] | length > 0",
    }
    made = {
        "ansible.builtin.file": {
            "path": "{{ _common_configuration_directory }}",
            "state": "directory",
        }
    }
    keys = {
        "ansible.builtin.copy": {
            "content": "{{ _network_access_endpoint_device_keys }}",
            "dest": f"{directory}/{{{{ inventory_hostname }}}}.keys",
        }
    }
    plays = [
        {
            "hosts": "routing_servers",
            "gather_facts": False,
            **with_variables_of(roles, "routing_server"),
            "tasks": [included(roles / "routing_server/tasks/own_key.yml"), wrote],
        },
        {
            "hosts": "network_access_endpoints",
            "gather_facts": False,
            **with_variables_of(roles, "network_access_endpoint"),
            "tasks": [
                made,
                left,
                included(roles / "network_access_endpoint/tasks/own_keys.yml"),
                keys,
            ],
        },
    ]
    for name, content in (("hosts", groups), ("extra", extra), ("play", plays)):
        (directory / f"{name}.json").write_text(json.dumps(content))
    hosts, variables_file, play = (f"{directory}/{n}.json" for n in ("hosts", "extra", "play"))
    return ["-i", hosts, "-e", f"@{variables_file}", play]


def included(tasks: Path) -> dict[str, Any]:
    return {"ansible.builtin.include_tasks": str(tasks)}


def with_variables_of(roles: Path, role: str) -> dict[str, Any]:
    """Those that the tasks of a role see, without the tasks that come before its own."""
    files = [roles / one / kind / "main.yml" for one in ("common", role) for kind in KINDS]
    return {"vars_files": [str(file) for file in files]}


def test_a_psk_that_routers_have_is_changed_first_and_the_one_before_is_kept_as_it_was(
    tools: Any, installed: Path, tmp_path: Path
) -> None:
    roles = installed / "ansible_collections" / "nrs" / "network_routing" / "roles"
    refused = tools.refusals(installed, *given(roles, tmp_path))
    assert set(refused) == {"has_the_psk", "of_the_psk"}, refused
    for host, said in refused.items():
        assert said.startswith(f"{host} goes by the PSK itself"), said
        assert "Changing the PSK" in said
        assert NOW not in said
    written = {
        host: json.loads((tmp_path / f"{host}.json").read_text())
        for host in ROUTERS
        if host not in refused
    }
    assert {host: one["held"] for host, one in written.items()} == {
        "fresh": False,
        "has_its_own": False,
        "has_the_psk_before": True,
        "changes_over": True,
        "shares": True,
    }
    assert {host for host, one in written.items() if one["psk"]} == {"shares"}
    lines = (tmp_path / "of_the_psk_before.keys").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["fresh", "shares"]
    assert len({line.split()[1] for line in lines}) == 2
    for one in written.values():
        assert one["router_key"] == one["own"]
        assert one["previous_router_key"] == one["own_before"]


def test_a_change_of_the_psk_that_is_to_begin_can_be_predicted(
    tools: Any, installed: Path, tmp_path: Path
) -> None:
    roles = installed / "ansible_collections" / "nrs" / "network_routing" / "roles"
    words = [*given(roles, tmp_path), "-e", "__common_rotation=begin"]
    refused = tools.refusals(installed, *words)
    assert set(refused) == {"has_the_psk", "of_the_psk"}
    assert tools.refusals(installed, *words, "--check") == {}
