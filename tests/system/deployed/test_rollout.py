"""A run fails where an agent does not work, and completes what another has left undone."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from typing import Any

ROUTER, UNIT = "router_3", "routing_server"
FILE = f"/etc/network-routing-system/{UNIT}.yaml"
BROKEN = f"/etc/systemd/system/{UNIT}.service.d/broken.conf"
PYTHON = "/opt/network-routing-system/current/bin/python"
WORDS = "this release cannot start"
DROP_IN = f"[Service]\nExecStart=\nExecStart={PYTHON} -c \"raise SystemExit('{WORDS}')\"\n"


def site(lab: Any) -> subprocess.CompletedProcess[str]:
    """A run for the router alone."""
    playbook = str(lab.checkout / "playbooks" / "site.yml")
    ended: subprocess.CompletedProcess[str] = lab.ansible(
        "ansible-playbook", playbook, "--limit", ROUTER
    )
    return ended


def test_a_crash_loop_fails_the_run_with_the_journal(lab: Any, wait: Callable[..., float]) -> None:
    content = base64.b64encode(DROP_IN.encode()).decode()
    script = f"mkdir -p ${{0%/*}} && echo {content} | base64 -d >$0 && systemctl daemon-reload"
    lab.exec(ROUTER, "sh", "-c", script, BROKEN)
    try:
        lab.run("exec", ROUTER, "systemctl", "--no-block", "restart", UNIT)
        ended = site(lab)
    finally:
        lab.exec(ROUTER, "sh", "-c", 'rm -r "${0%/*}" && systemctl daemon-reload', BROKEN)
        lab.exec(ROUTER, "systemctl", "restart", UNIT)
    assert ended.returncode != 0
    said = f"{UNIT} does not work: it crashes: systemd has started it"
    assert said in ended.stdout, ended.stdout
    assert WORDS in ended.stdout
    wait(lab.all_up, 30, "all tunnels up again")


def done(lab: Any) -> list[str]:
    """What the module has done, as start.yml calls it."""
    arguments = {
        "unit": UNIT,
        "release": lab.status(ROUTER)["release"],
        "configuration": FILE,
        "command": "/usr/local/bin/nrs",
    }
    words = ("-b", "-m", "nrs.network_routing.agent", "-a", json.dumps(arguments), "--one-line")
    ended = lab.ansible("ansible", ROUTER, *words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    result: dict[str, list[str]] = json.loads(ended.stdout.partition("=>")[2])
    return result["done"]


def test_what_was_written_and_not_taken_over_is(lab: Any, wait: Callable[..., float]) -> None:
    wait(lab.all_up, 30, "all tunnels up")
    show = ("systemctl", "show", "-p", "ExecMainStartTimestampMonotonic,NRestarts", UNIT)
    started = lab.exec(ROUTER, *show)
    lab.exec(ROUTER, "sh", "-c", f"cp -p {FILE} /root/kept && echo '# other' >>{FILE}")
    lab.exec(ROUTER, "systemctl", "reload", UNIT)
    wait(lambda: lab.status(ROUTER)["files_not_in_force"] == [], 10, "it goes by the other file")
    lab.exec(ROUTER, "sh", "-c", f"cp -p /root/kept {FILE} && rm /root/kept")
    assert lab.status(ROUTER)["files_not_in_force"] == [FILE]
    assert done(lab) == [f"reload: it does not go by {FILE}"]
    assert lab.status(ROUTER)["files_not_in_force"] == []
    assert lab.exec(ROUTER, *show) == started
    assert done(lab) == []
