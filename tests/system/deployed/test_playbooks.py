"""The playbooks and modules on hosts that are deployed already."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _started(lab: Any) -> dict[str, str]:
    """When each agent's process was started, in the host's own monotonic time."""
    return {
        host: lab.exec(host, "systemctl", "show", "-p", "ExecMainStartTimestampMonotonic", unit)
        for host, unit in lab.UNITS
    }


def _assert_nothing_changed(lab: Any, output: str) -> None:
    recaps = re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)\s+.*failed=(\d+)", output, re.M)
    assert {host for host, _changed, _failed in recaps} >= {host for host, _unit in lab.UNITS}
    assert [recap for recap in recaps if recap[1:] != ("0", "0")] == [], output


def test_a_second_up_changes_and_restarts_nothing(lab: Any) -> None:
    before = _started(lab)
    ended = lab.run("up", "--verbose", limit=400)
    _assert_nothing_changed(lab, ended.stdout)
    assert _started(lab) == before
    assert "endpoint_1" in ended.stdout and "router_1" in ended.stdout


def test_the_installed_archive_deploys_the_same_from_elsewhere(lab: Any, tmp_path: Path) -> None:
    archives, collections, elsewhere = (
        tmp_path / name for name in ("archives", "new", "elsewhere")
    )
    elsewhere.mkdir()
    subprocess.run([lab.checkout / "bin" / "build", archives], check=True)
    (archive,) = archives.iterdir()
    install = ("ansible-galaxy", "collection", "install", "--offline", "-p", collections, archive)
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections)}
    subprocess.run(install, cwd=elsewhere, env=env, check=True)

    def play(name: str) -> str:
        words = ("ansible-playbook", f"nrs.network_routing.{name}")
        ended = lab.ansible(*words, cwd=elsewhere, collections=collections)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return str(ended.stdout)

    before = _started(lab)
    _assert_nothing_changed(lab, play("site"))
    assert _started(lab) == before
    play("verify")


def test_a_check_run_names_an_interface_that_a_router_lacks(lab: Any) -> None:
    site = str(lab.checkout / "playbooks" / "site.yml")
    words = ("ansible-playbook", site, "--check", "-e", "routing_server_egress_interface=eth7")
    ended = lab.ansible(*words)
    assert ended.returncode != 0
    for router in lab.ROUTERS:
        assert f"{router} has no interface eth7 that leads on, but " in ended.stdout
        assert re.search(rf"{router} has no interface .* but .*\begress0\b", ended.stdout)


def test_verify_names_what_is_not_as_the_inventory_says(
    lab: Any, wait: Callable[..., float]
) -> None:
    wait(lab.all_up, 30, "all tunnels up")
    lab.exec("router_3", "systemctl", "stop", "routing_server")
    verify = str(lab.checkout / "playbooks" / "verify.yml")
    line = "endpoint_2 -> router_3: tunnel down (desired up)"
    said = ""

    def named() -> bool:
        nonlocal said
        ended = lab.ansible("ansible-playbook", verify, "-e", "verify_retries=1")
        said = ended.stdout + ended.stderr
        return ended.returncode != 0 and line in said

    try:
        wait(named, 60, "verify.yml names the tunnel that is down")
    finally:
        lab.exec("router_3", "systemctl", "start", "routing_server")
    wait(lab.all_up, 30, "all tunnels up again")
    ended = lab.ansible("ansible-playbook", verify)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_device_is_configured_through_the_controller_once(lab: Any) -> None:
    def push(*more: str) -> dict[str, Any]:
        arguments = {
            "url": "https://[::1]:8090",
            "ca_path": "/etc/network-routing-system/ca.pem",
            "token": lab.token("https://[fd88::12]:8090"),
            "device_id": "endpoint_1",
            "config": {"load_balancer": {"poll_interval": 10}},
        }
        ended = lab.ansible(
            "ansible",
            "controller",
            "-m",
            "nrs.network_routing.device_config",
            "-a",
            json.dumps(arguments),
            "--one-line",
            *more,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        result: dict[str, Any] = json.loads(ended.stdout.partition("=>")[2])
        return result

    predicted, first, second = push("--check"), push(), push()
    assert (predicted["changed"], first["changed"], second["changed"]) == (True, True, False)
    assert predicted["config"] == first["config"] == second["config"]
    assert predicted["version"] < first["version"] == second["version"]
