"""Hosts that have died do not hold up a run: ssh notices, others go on, the end names them."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
PLAYBOOKS = ("site", "uninstall", "verify", "renew_certificates")
REMOVING = ("remove_router", "remove_endpoint", "parts/deregister", "parts/take_off")
WITH_CONTROLLERS = ("backup", "restore")
PROGRAMS = ("ssh", "sftp", "scp")
UNREACHABLE = 4
"""The exit status of ansible-playbook."""
NOTICED_S = 30
"""At the latest; TCP would take minutes, and a host that is only busy needs some seconds."""

SSH = f"""#!{sys.executable}
import json, subprocess, sys
words = ["{shutil.which("ssh")}", "-F", "/dev/null", "-G", *sys.argv[1:]]
said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
options = dict(line.split(" ", 1) for line in said.splitlines() if " " in line)
with open("{{place}}/" + options["hostname"], "a") as file:
    file.write(json.dumps(options) + "\\n")
raise SystemExit(255)
"""
"""Notes what the real ssh would go by, and reaches nobody."""


def inventory(place: Path, groups: dict[str, dict[str, dict[str, Any]]]) -> Path:
    """A file with the groups' hosts and their variables."""
    (place / "hosts.json").write_text(
        json.dumps({name: {"hosts": hosts} for name, hosts in groups.items()})
    )
    return place / "hosts.json"


def plays(playbook: str) -> list[dict[str, Any]]:
    """Those of a playbook that reach hosts."""
    read = yaml.safe_load((CHECKOUT / "playbooks" / f"{playbook}.yml").read_text())
    return [
        play
        for play in read
        if "hosts" in play and play.get("name") != "Control node" and play["hosts"] != "localhost"
    ]


def imported(tasks: str) -> dict[str, Any]:
    """A task that imports others of the role `common`."""
    named = {"name": "nrs.network_routing.common", "tasks_from": tasks}
    return {"ansible.builtin.import_role": named}


def role(task: dict[str, Any]) -> str:
    """The tasks that a task imports of a role."""
    return str(task["ansible.builtin.import_role"]["tasks_from"])


@pytest.fixture
def closed_port() -> Iterator[int]:
    """One that is reserved and refuses connections."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


@pytest.mark.parametrize(
    ("playbook", "configured"),
    [("site", "environment"), ("uninstall", "command line"), ("verify", "ansible.cfg")],
)
def test_ssh_notices_a_dead_host_and_keeps_what_the_operator_says(
    tools: Any, installed: Path, tmp_path: Path, playbook: str, configured: str
) -> None:
    asked = tmp_path / "asked"
    asked.mkdir()
    ssh = tmp_path / "ssh"
    ssh.write_text(SSH.replace("{place}", str(asked)))
    ssh.chmod(0o755)
    hosts = inventory(
        tmp_path,
        {
            "load_balancers": {
                "plain": {},
                "proxied": {
                    "ansible_ssh_common_args": "-o ProxyJump={{ jump }}",
                    "ansible_ssh_extra_args": "-o User={{ inventory_hostname }}",
                    "jump": "gate",
                },
            },
            "network_access_endpoints": {
                "own": {"ansible_ssh_common_args": "-o ServerAliveInterval=77"},
                "own_too": {"ansible_ssh_extra_args": "-o ServerAliveInterval=77"},
            },
        },
    )
    env = {"ANSIBLE_COLLECTIONS_PATH": str(installed), "ANSIBLE_SSH_EXECUTABLE": str(ssh)}
    own = tmp_path / "own.yml"
    own.write_text(json.dumps([{"import_playbook": f"nrs.network_routing.{playbook}"}]))
    run = str(own) if playbook == "uninstall" else f"nrs.network_routing.{playbook}"
    words = ["-i", str(hosts), run]
    if configured == "environment":
        env["ANSIBLE_SSH_EXTRA_ARGS"] = "-o LogLevel=ERROR"
    elif configured == "command line":
        words.append("--ssh-extra-args=-o LogLevel=ERROR")
    else:
        settings = tmp_path / "ansible.cfg"
        settings.write_text("[ssh_connection]\nssh_extra_args = -o LogLevel=ERROR\n")
        env["ANSIBLE_CONFIG"] = str(settings)
    ended = tools.end("ansible-playbook", *words, env=env)
    assert ended.returncode != 0
    options = {path.name: json.loads(path.read_text().splitlines()[0]) for path in asked.iterdir()}
    assert options.keys() == {"plain", "proxied", "own", "own_too"}, ended.stdout
    for name in ("plain", "proxied"):
        interval, count = (
            int(options[name][f"serveralive{word}"]) for word in ("interval", "countmax")
        )
        assert 10 <= interval * (count + 1) <= NOTICED_S
        assert int(options[name]["connecttimeout"]) <= NOTICED_S
    assert options["plain"]["loglevel"] == "ERROR"
    assert options["proxied"]["proxyjump"] == "gate"
    assert options["proxied"]["user"] == "proxied"
    for name in ("own", "own_too"):
        assert options[name]["serveraliveinterval"] == "77"


@pytest.mark.parametrize("playbook", [*PLAYBOOKS, *WITH_CONTROLLERS, *REMOVING, "status"])
def test_every_play_on_hosts_has_them(playbook: str) -> None:
    for play in plays(playbook):
        (file,) = play["vars_files"]
        place = (CHECKOUT / "playbooks" / playbook).parent
        variables = yaml.safe_load((place / file).read_text())
        for program in PROGRAMS:
            variable = f"ansible_{program}_extra_args"
            arguments = variables[variable]
            assert f"hostvars[inventory_hostname].{variable} | default(none)" in arguments
            assert f"nrs.network_routing.ssh_arguments('{program}')" in arguments


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_every_run_waits_for_all_its_hosts_at_once(playbook: str) -> None:
    (first, *others) = plays(playbook)
    every = {group for play in others for group in play["hosts"].split(":")}
    assert set(first["hosts"].split(":")) == every
    assert [role(task) for task in first["tasks"]] == ["answering.yml"]


@pytest.mark.parametrize("playbook", ["site", "uninstall", "renew_certificates"])
def test_a_run_that_changes_hosts_ends_with_those_left_behind(playbook: str) -> None:
    first, *_others, last = plays(playbook)
    assert role(last["tasks"][-1]) == "left_behind.yml"
    assert last["hosts"] == first["hosts"]


def test_a_restore_waits_for_all_controllers_at_once_and_names_those_left_behind() -> None:
    (play,) = plays("restore")
    first, *_others, last = (role(task) for task in play["tasks"])
    assert (first, last) == ("answering.yml", "left_behind.yml")


@pytest.mark.parametrize(
    ("failing", "last"),
    [(True, "left_behind.yml"), (False, "left_behind.yml"), (True, "removed.yml")],
)
def test_others_go_on_and_the_dead_are_named_at_the_end(
    tools: Any, installed: Path, tmp_path: Path, closed_port: int, failing: bool, last: str
) -> None:
    """A removal is not repeated for some hosts alone."""
    failure = {"ansible.builtin.fail": {"msg": "as it may be"}, "when": "failing"}
    run = (
        {"hosts": "all", "tasks": [imported("answering.yml")]},
        # A play that has nobody left.
        {"hosts": "router_1", "tasks": [{"ansible.builtin.fail": {}}]},
        {"hosts": "all", "tasks": [failure, imported(last)]},
    )
    (tmp_path / "play.json").write_text(json.dumps([p | {"gather_facts": False} for p in run]))
    here = {"ansible_connection": "local", "failing": False}
    there = {"ansible_host": "127.0.0.1", "ansible_port": closed_port}
    served = {"router_2": here, "router_3": here | {"failing": failing}}
    hosts = inventory(tmp_path, {"routing_servers": {"router_1": there, **served}})
    env = {"ANSIBLE_COLLECTIONS_PATH": str(installed)}
    removal = {"_common_removal": {"device_id": "r3", "host": "", "naming": []}}
    words = ("-i", hosts, "-e", json.dumps(removal), tmp_path / "play.json")
    ended = tools.end("ansible-playbook", *words, env=env)
    lost = "Failed or lost on the way, as is said above: router_3. " if failing else ""
    again = " for them: --limit router_1" + (",router_3" if failing else "")
    if last == "removed.yml":
        again = " once they can be reached."
    assert (
        f'"msg": "This run is incomplete. Unreachable: router_1. {lost}Run it again{again}"'
    ) in ended.stdout, ended.stdout
    assert "ok: [router_2]" in ended.stdout.rpartition("TASK ")[2]
    assert ended.returncode == UNREACHABLE


def test_a_complete_run_says_nothing(tools: Any, installed: Path, tmp_path: Path) -> None:
    tasks = [imported("left_behind.yml")]
    (tmp_path / "play.json").write_text(
        json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}])
    )
    hosts = inventory(tmp_path, {"routing_servers": {"router_1": {"ansible_connection": "local"}}})
    said = tools.playbook(installed, "-i", hosts, tmp_path / "play.json")
    assert "incomplete" not in said and "skipping: [router_1]" in said
