"""A run of site.yml fails where an agent does not work, and completes what another has left undone."""

from __future__ import annotations

import base64
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
    assert f"{UNIT} does not work: it crashes: systemd has started it" in ended.stdout
    assert WORDS in ended.stdout
    wait(lab.all_up, 30, "all tunnels up again")


def test_a_run_completes_what_another_has_left_undone(
    lab: Any, wait: Callable[..., float]
) -> None:
    show = ("systemctl", "show", "-p", "ExecMainStartTimestampMonotonic,NRestarts", UNIT)
    started = lab.exec(ROUTER, *show)
    # What is written and not taken over: the agent goes by another file than the one that is there.
    lab.exec(ROUTER, "sh", "-c", f"cp -p {FILE} /root/kept && echo '# other' >>{FILE}")
    lab.exec(ROUTER, "systemctl", "reload", UNIT)
    wait(lambda: lab.status(ROUTER)["files_not_in_force"] == [], 10, "it goes by the other file")
    lab.exec(ROUTER, "sh", "-c", f"cp -p /root/kept {FILE} && rm /root/kept")
    assert lab.status(ROUTER)["files_not_in_force"] == [FILE]
    ended = site(lab)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert lab.status(ROUTER)["files_not_in_force"] == []
    assert lab.exec(ROUTER, *show) == started
