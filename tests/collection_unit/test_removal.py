"""Removing a device: what is refused before anything is asked, and what is revoked."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from local_host import LocalHost

DEVICE = "endpoint_2"
USES = {"network_access_endpoint_routers": [{"router_id": "router_1"}]}


def words(place: Path, playbook: str, *more: str, routers: int = 2) -> list[str]:
    """A playbook on an inventory whose hosts nobody reaches."""
    nobody = {"ansible_connection": "local", "ansible_remote_tmp": "/dev/null/none"}
    groups = {
        "all": {"vars": nobody},
        "routing_servers": {"hosts": {f"router_{n + 1}": {} for n in range(routers)}},
        "network_access_endpoints": {"hosts": {"endpoint_1": USES, DEVICE: USES}},
    }
    (place / "hosts.json").write_text(json.dumps(groups))
    return ["-i", str(place / "hosts.json"), f"nrs.network_routing.{playbook}", *more]


@pytest.mark.parametrize(
    ("playbook", "more", "routers", "said"),
    [
        ("remove_router", (), 2, "-e nrs_remove=NAME says which routing server"),
        ("remove_endpoint", (), 2, "-e nrs_remove=NAME says which endpoint"),
        ("remove_router", ("-e", "nrs_remove=router_1"), 1, "it is the last routing server"),
        ("remove_router", ("-e", "nrs_remove=router_1"), 2, "endpoint_1 has no other one"),
        ("remove_endpoint", ("-e", "nrs_remove=router_1"), 2, "router_1 is no endpoint"),
        ("remove_endpoint", ("-e", "nrs_remove=all"), 2, "all is a group"),
        (
            "remove_endpoint",
            ("-e", f"nrs_remove={DEVICE}", "--limit", DEVICE),
            2,
            "--limit leaves out those who have to forget the device",
        ),
    ],
)
def test_what_is_refused(
    tools: Any,
    installed: Path,
    tmp_path: Path,
    playbook: str,
    more: tuple[str, ...],
    routers: int,
    said: str,
) -> None:
    refused = tools.refusals(installed, *words(tmp_path, playbook, *more, routers=routers))
    assert refused
    for why in refused.values():
        assert said in why


@pytest.fixture
def host(tools: Any, installed: Path, cache: Path, tmp_path: Path) -> LocalHost:
    """A control node that has given two devices tokens."""
    here = LocalHost(tools, installed, cache, tmp_path)
    here.tasks = ("generate",)
    here.variables["_common_has_own_authority"] = False
    here.variables["_common_removal"] = {"device_id": DEVICE, "host": "", "naming": []}
    here.variables["_common_removed_group"] = "network_access_endpoints"
    here.deploy(changed=2)
    give(here, DEVICE)
    give(here, "endpoint_1")
    here.tasks = ("revoke",)
    return here


def give(host: LocalHost, device: str) -> None:
    """Make a token for a device."""
    lookup = "lookup('nrs.network_routing.api_token', 'https://192.0.2.1:8090', role='endpoint',"
    made = {"made": f"{{{{ {lookup} id='{device}') }}}}"}
    task = {"ansible.builtin.set_fact": made, "no_log": True}
    host.play([{"hosts": "all", "gather_facts": False, "tasks": [task]}])


def entries(host: LocalHost) -> list[dict[str, Any]]:
    """The lines of the ledger."""
    lines = (host.secrets / "issued_tokens").read_text().splitlines()
    return [json.loads(line) for line in lines]


def revoked(host: LocalHost) -> list[str]:
    """Whose tokens the ledger has as revoked."""
    issued = {e["issued"]["jti"]: e["issued"]["sub"] for e in entries(host) if "issued" in e}
    return [issued[entry["revoked"]] for entry in entries(host) if "revoked" in entry]


def test_the_devices_tokens_are_revoked_once(host: LocalHost) -> None:
    host.deploy("--check", changed=1)
    assert revoked(host) == []
    assert not (host.secrets / "revocations").exists()
    host.deploy(changed=1)
    assert revoked(host) == [DEVICE]
    first = (host.secrets / "revocations").read_text()
    host.deploy(changed=0)
    assert (host.secrets / "revocations").read_text() == first


def tunnels(host: LocalHost) -> dict[str, Any]:
    """What of the list of revocations is of tunnels."""
    payload = (host.secrets / "revocations").read_text().split(".")[1]
    stated = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return {key: stated[key] for key in ("endpoints_below", "routers", "epochs_below")}


@pytest.mark.parametrize(
    ("own", "below"),
    [(None, 65536), ({}, 1), ({"network_access_endpoint_generation": 4}, 5)],
    ids=["not in the inventory", "the first one", "a replacement"],
)
def test_an_endpoints_tunnel_keys_are_revoked_with_its_tokens(
    host: LocalHost, own: dict[str, Any] | None, below: int
) -> None:
    if own is not None:
        host.hosts["here"] = own
        host.variables["_common_removal"]["host"] = "here"
    host.deploy(changed=1)
    expected = {"endpoints_below": {DEVICE: below}, "routers": [], "epochs_below": None}
    assert tunnels(host) == expected
    host.deploy(changed=0)


def test_a_router_is_revoked_with_its_tokens(host: LocalHost) -> None:
    host.variables["_common_removed_group"] = "routing_servers"
    host.deploy("--check", changed=1)
    host.deploy(changed=1)
    assert tunnels(host) == {"endpoints_below": {}, "routers": [DEVICE], "epochs_below": None}
    host.deploy(changed=0)


def test_tokens_that_were_revoked_before_leave_the_tunnel_to_be_revoked(host: LocalHost) -> None:
    """By an earlier release, or by `nrs token revoke`."""
    host.deploy(changed=1)
    host.variables["_common_removed_group"] = "routing_servers"
    host.deploy(changed=1)
    assert tunnels(host)["routers"] == [DEVICE]


def test_what_it_was_given_since_is_revoked_too(host: LocalHost) -> None:
    host.deploy(changed=1)
    give(host, DEVICE)
    host.deploy(changed=1)
    assert revoked(host) == [DEVICE, DEVICE]


def test_a_new_removal_revokes_again_what_a_ledger_may_have_lost(host: LocalHost) -> None:
    host.deploy(changed=1)
    host.variables["_common_controllers"] = ["here"]
    host.hosts["here"] = {"__common_deregistered": {"changed": True}}
    host.deploy(changed=1)


@pytest.fixture
def over(tools: Any, installed: Path, cache: Path, tmp_path: Path) -> LocalHost:
    """The end of a run that has removed r3, of which the inventory has no host."""
    here = LocalHost(tools, installed, cache, tmp_path)
    here.tasks = ("removed",)
    here.variables["_common_removal"] = {"device_id": "r3", "host": "", "naming": []}
    return here


def told(status: str) -> dict[str, Any]:
    """A controller that keeps the device out, which it had as `status`."""
    answer = {"device_id": "r3", "diff": {"before": {"status": status}}}
    return {"__common_deregistered": answer}


def test_what_is_left_to_do_is_said(over: LocalHost) -> None:
    said = over.deploy(changed=0)
    assert "r3 is out: it does not register" in said
    assert "Its host was not cleared by this run, and keeps its keys" in said
    assert "inventory" not in said and "does not answer" not in said
    removal = {"device_id": "r3", "host": "here", "naming": ["endpoint_1", "endpoint_2"]}
    over.variables["_common_removal"] = removal
    over.hosts["here"] = {"__common_taken_off": True}
    assert "keeps its keys" not in over.deploy(changed=0)
    over.hosts["here"] = {}
    assert "here was not cleared by this run, and keeps its keys" in over.deploy(changed=0)
    over.hosts["here"] = {"__common_removed_answer": {"unreachable": True}}
    said = over.deploy("--check", changed=0)
    assert "r3 would be out" in said
    assert "here does not answer, and keeps its keys" in said
    assert "Take here out of the inventory, and out of network_access_endpoint_routers of" in said
    assert "endpoint_1, endpoint_2, and run site.yml." in said


def test_a_controller_that_was_not_told_is_named(over: LocalHost) -> None:
    over.variables["_common_controllers"] = ["here", "other"]
    over.hosts["here"] = told("registered")
    over.hosts["other"] = {"__common_deregistered": {"failed": True, "status": 503}}
    said = over.deploy(changed=0)
    assert "r3 is not out: it can register with other, which did not" in said
    over.hosts["other"] = told("unknown")
    assert "r3 is out" in over.deploy(changed=0)


def test_a_name_that_nobody_knows_is_no_success(over: LocalHost) -> None:
    over.variables["_common_controllers"] = ["here", "other"]
    over.hosts = {"here": told("unknown"), "other": told("unknown")}
    refused = over.refused()
    assert "r3 is no host of the inventory, and every controller had it as unknown" in refused
    assert "let it in again (docs/OPERATIONS.md" in refused
    for other in (told("removed"), {}):
        over.hosts["other"] = other
        over.deploy(changed=0)


def test_a_host_that_was_cleared_keeps_no_keys(
    over: LocalHost, systemd: dict[str, str], tmp_path: Path
) -> None:
    """Predicted, as it would be this machine."""
    over.tasks = ("take_off", "removed")
    over.environment = systemd
    (over.etc / "router_key").write_text("k\n")
    over.variables |= {
        "_common_removal": {"device_id": "r3", "host": "here", "naming": []},
        "_common_removed_group": "routing_servers",
        "_common_groups": ["ungrouped"],
        "_common_unit": "routing_server",
        "_common_unit_directory": str(tmp_path / "units"),
        "_common_state_directory": str(tmp_path / "state"),
    }
    assert "keeps its keys" not in over.deploy("--check", changed=1)


@pytest.fixture
def systemd(tmp_path: Path) -> dict[str, str]:
    """An environment in which there is nothing to stop, and no rule."""
    for program in ("ufw", "systemctl"):
        (tmp_path / program).write_text("#!/bin/sh\n")
        (tmp_path / program).chmod(0o755)
    return {"PATH": f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin"}


@pytest.mark.parametrize(
    ("unit", "keys"),
    [
        ("routing_server", {"router_key", "previous_router_key", "psk", "previous_psk"}),
        ("network_access_endpoint", {"device_keys", "device_key"}),
        ("network_controller", set()),
    ],
)
def test_a_host_with_other_roles_loses_the_keys_of_this_one(
    tools: Any,
    installed: Path,
    cache: Path,
    tmp_path: Path,
    systemd: dict[str, str],
    unit: str,
    keys: set[str],
) -> None:
    here = LocalHost(tools, installed, cache, tmp_path)
    here.tasks = ("uninstall_unit",)
    here.environment = systemd
    here.variables |= {
        "_common_unit": unit,
        "_common_unit_directory": str(tmp_path / "units"),
        "_common_state_directory": str(tmp_path / "state"),
    }
    units = ("routing_server", "network_access_endpoint", "network_controller")
    all_keys = {"router_key", "previous_router_key", "psk", "previous_psk"}
    all_keys |= {"device_keys", "device_key", *(f"api_tokens_{one}" for one in units)}
    for name in all_keys:
        (here.etc / name).write_text("k\n")
    here.deploy(changed=1)
    left = {file.name for file in here.etc.iterdir()}
    assert left == all_keys - keys - {f"api_tokens_{unit}"}


def test_without_a_signing_key_it_says_so(host: LocalHost) -> None:
    (host.secrets / "signing_key").unlink()
    assert "signing_key: no such file" in host.refused()
