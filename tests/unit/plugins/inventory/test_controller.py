# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's devices as hosts, through the plugin as Ansible loads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader
from ansible_collections.nrs.network_routing.plugins.module_utils import _client
from ansible_collections.nrs.network_routing.tests.unit.plugins.api_server import Answer, ApiServer

NAME = "nrs.network_routing.controller"
TOKEN = "0123456789abcdef0123456789abcdef"


def device(device_id: str, kind: str, status: str = "online", **more: Any) -> dict[str, Any]:
    return {"device_id": device_id, "device_type": kind, "status": status, **more}


def tunnel(endpoint: str, router: str, active: bool) -> dict[str, Any]:
    return {"endpoint_id": endpoint, "router_id": router, "up": True, "active": active}


TOPOLOGY: dict[str, Any] = {
    "timestamp": 1.5,
    "devices": [
        device("endpoint-1", "network_access_endpoint", version="1.0", tun_ipv4="10.10.100.1"),
        device("endpoint-2", "network_access_endpoint", "offline", version="0.9"),
        device("router-1", "routing_server", name="{{ lookup('env', 'HOME') }}"),
        device("router-2", "routing_server"),
    ],
    "tunnels": [
        tunnel("endpoint-1", "router-1", active=False),
        tunnel("endpoint-1", "router-2", active=True),
        tunnel("endpoint-2", "router-1", active=True),
    ],
}
GROUPS = {
    "nrs_network_access_endpoint": ["endpoint-1", "endpoint-2"],
    "nrs_routing_server": ["router-1", "router-2"],
    "nrs_online": ["endpoint-1", "router-1", "router-2"],
    "nrs_offline": ["endpoint-2"],
    "nrs_uses_router_2": ["endpoint-1"],
}
Read = Callable[..., InventoryData]


@pytest.fixture
def controller(api: ApiServer) -> ApiServer:
    """A controller with four devices."""
    api.on("GET", "/topology", Answer(body=TOPOLOGY))
    return api


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Reads an inventory file with these keys."""
    monkeypatch.setattr(_client, "FIRST_PAUSE_S", 0.001)
    monkeypatch.delenv("NRS_API_TOKEN", raising=False)

    def _read(refresh: bool = False, **keys: Any) -> InventoryData:
        file = tmp_path / "site.nrs_controller.yml"
        file.write_text(yaml.safe_dump({"plugin": NAME, **keys}))
        inventory, plugin = InventoryData(), inventory_loader.get(NAME)
        assert plugin.verify_file(str(file))
        plugin.parse(inventory, DataLoader(), str(file), cache=not refresh)
        if keys.get("cache"):
            plugin.update_cache_if_changed()
        return inventory

    return _read


def hosts(inventory: InventoryData) -> dict[str, list[str]]:
    """The groups of the plugin with their hosts."""
    groups = inventory.get_groups_dict()
    return {name: sorted(groups[name]) for name in groups if name not in ("all", "ungrouped")}


def variables(inventory: InventoryData, host: str) -> dict[str, Any]:
    found: dict[str, Any] = inventory.get_host(host).get_vars()
    return found


def _sent(api: ApiServer) -> str | None:
    return api.asked[-1].headers.get("Authorization")


def test_devices_are_hosts_in_groups(read: Read, controller: ApiServer) -> None:
    inventory = read(url=controller.url)
    assert hosts(inventory) == GROUPS
    found = variables(inventory, "endpoint-1")["network_device"]
    assert found == {
        **TOPOLOGY["devices"][0],
        "active_router": "router-2",
        "tunnels": TOPOLOGY["tunnels"][:2],
    }
    at_router = variables(inventory, "router-1")["network_device"]
    assert [one["endpoint_id"] for one in at_router["tunnels"]] == ["endpoint-1", "endpoint-2"]
    assert at_router["active_router"] is None
    assert variables(inventory, "endpoint-2")["network_device"]["active_router"] == "router-1"


def test_constructed_variables_and_groups(read: Read, controller: ApiServer) -> None:
    inventory = read(
        url=controller.url,
        compose={"ansible_host": "network_device.tun_ipv4", "label": "network_device.name"},
        groups={"old": "network_device.version is defined and network_device.version == '0.9'"},
        keyed_groups=[{"key": "network_device.status", "prefix": "now"}],
        strict=False,
    )
    found = hosts(inventory)
    assert found["old"] == ["endpoint-2"]
    assert found["now_offline"] == ["endpoint-2"]
    assert variables(inventory, "endpoint-1")["ansible_host"] == "10.10.100.1"
    assert "ansible_host" not in variables(inventory, "router-1")
    assert variables(inventory, "router-1")["label"] == "{{ lookup('env', 'HOME') }}"


def test_groups_may_go_by_composed_variables(read: Read, controller: ApiServer) -> None:
    inventory = read(
        url=controller.url,
        compose={"old": "network_device.status == 'offline'"},
        groups={"to_be_seen_to": "old"},
        strict=True,
    )
    assert hosts(inventory)["to_be_seen_to"] == ["endpoint-2"]


def test_strict_names_the_file_and_the_key(read: Read, controller: ApiServer) -> None:
    with pytest.raises(AnsibleParserError, match=r"nrs_controller\.yml: .*ansible_host"):
        read(url=controller.url, compose={"ansible_host": "network_device.nothing"}, strict=True)


@pytest.mark.parametrize("way", ["option", "template", "environment", "file"])
def test_the_token_is_sent_and_never_shown(
    read: Read, api: ApiServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str
) -> None:
    given: dict[str, str] = {}
    if way == "option":
        given["token"] = TOKEN
    elif way == "template":
        monkeypatch.setenv("OF_THIS_TEST", TOKEN)
        given["token"] = "{{ lookup('ansible.builtin.env', 'OF_THIS_TEST') }}"
    elif way == "environment":
        monkeypatch.setenv("NRS_API_TOKEN", TOKEN)
    else:
        (tmp_path / "token").write_text(TOKEN + "\n")
        given["token_file"] = str(tmp_path / "token")
    api.on("GET", "/topology", Answer(body=TOPOLOGY))
    inventory = read(url=api.url, **given)
    assert _sent(api) == "Bearer " + TOKEN
    assert TOKEN not in str([variables(inventory, host) for host in inventory.hosts])
    api.on("GET", "/topology", Answer(403, {"error": "the token is for a router"}))
    with pytest.raises(AnsibleParserError) as raised:
        read(url=api.url, **given)
    assert "answered 403: the token is for a router" in str(raised.value)
    assert TOKEN not in str(raised.value)


def test_the_cache_spares_the_controller(
    read: Read, controller: ApiServer, second_api: ApiServer, tmp_path: Path
) -> None:
    kept = {
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(tmp_path / "kept"),
        "token": TOKEN,
    }

    def _read_by(server: ApiServer, **more: Any) -> dict[str, list[str]]:
        return hosts(read(url=server.url, **kept, **more))

    assert _read_by(controller) == GROUPS
    controller.on("GET", "/topology", Answer(body={"devices": [], "tunnels": []}))
    assert _read_by(controller, compose={"x": "1"}) == GROUPS
    assert len(controller.asked) == 1
    (file,) = (tmp_path / "kept").iterdir()
    assert TOKEN not in file.read_text()
    refreshed = read(refresh=True, url=controller.url, **kept)
    assert hosts(refreshed) == _read_by(controller) == {}
    assert len(controller.asked) == 2
    second_api.on("GET", "/topology", Answer(body={"devices": [], "tunnels": []}))
    assert _read_by(second_api) == {}
    assert len(second_api.asked) == 1


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({}, "url"),
        ({"url": []}, "url must name at least one server"),
        ({"url": "192.0.2.1:8090"}, "url must start with http"),
        ({"url": "http://192.0.2.1", "timeout": 0}, "timeout must be more than 0"),
        ({"url": "http://192.0.2.1", "timeout": "soon"}, "timeout"),
        ({"url": "http://192.0.2.1", "ca_path": "/no/such"}, "ca_path must be a file"),
        ({"url": "http://192.0.2.1", "token_file": "/no/such"}, "cannot read token_file"),
        ({"url": "http://192.0.2.1", "tokne": TOKEN}, "'tokne' is no key of this file"),
        (
            {"url": "http://192.0.2.1", "token": TOKEN, "token_file": "/x"},
            "token and token_file exclude each other",
        ),
        ({"url": "http://192.0.2.1", "token": "{{ nothing_of_this_name }}"}, "nothing_of_this"),
    ],
)
def test_a_mistake_names_the_file_and_the_key(read: Read, keys: dict[str, Any], says: str) -> None:
    with pytest.raises(AnsibleParserError) as raised:
        read(**keys)
    assert "site.nrs_controller.yml: " in str(raised.value)
    assert says in str(raised.value)
    assert TOKEN not in str(raised.value)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"devices": []},
        {"devices": {}, "tunnels": []},
        {"devices": [{}], "tunnels": []},
        {"devices": ["x"], "tunnels": []},
    ],
)
def test_an_answer_of_another_shape(read: Read, api: ApiServer, body: dict[str, Any]) -> None:
    api.on("GET", "/topology", Answer(body=body))
    with pytest.raises(AnsibleParserError, match=r"nrs_controller\.yml: .*no usable"):
        read(url=api.url)


def test_nobody_answers(read: Read, closed_url: str) -> None:
    with pytest.raises(AnsibleParserError, match=r"nrs_controller\.yml: .*refused"):
        read(url=closed_url)


@pytest.mark.parametrize("name", ["hosts.yml", "nrs_controller.yml.bak", "nrs_controller.json"])
def test_files_of_other_names_are_not_its(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("plugin: %s\n" % NAME)
    assert not inventory_loader.get(NAME).verify_file(str(tmp_path / name))
