"""A host that dies while a playbook runs does not hold it up, and the others are looked at."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any

DYING, LIVING = "endpoint_2", "endpoint_1"
PING = "/usr/local/bin/ping"
DIES = """#!/bin/sh
nft add table inet dead
nft add chain inet dead input '{ type filter hook input priority -300; }'
nft add rule inet dead input iifname eth0 drop
date +%s >/root/died
exec sleep 600
"""
"""In the place of ping: the control node hears no more of the host, and no TCP is closed."""
NOTICED_S = 60
"""After 25 s, on a busy machine; TCP alone takes minutes."""


def test_a_host_that_dies_meanwhile_holds_up_nothing(lab: Any, tmp_path: Path) -> None:
    """Run from where no ansible.cfg is."""
    content = base64.b64encode(DIES.encode()).decode()
    lab.exec(DYING, "sh", "-c", f"echo {content} | base64 -d >{PING} && chmod +x {PING}")
    try:
        ended = lab.ansible(
            "ansible-playbook", "nrs.network_routing.verify", limit=200, cwd=tmp_path
        )
        took = time.time() - int(lab.exec(DYING, "cat", "/root/died"))
    finally:
        undone = f"rm -f {PING} /root/died; pkill -x -f 'sleep 600'; nft delete table inet dead"
        lab.run("exec", DYING, "sh", "-c", undone, check=False)
    assert took < NOTICED_S, ended.stdout
    assert ended.returncode != 0
    differences = ended.stdout.rpartition("TASK ")[2]
    assert f"{DYING}: not looked at" in differences, ended.stdout
    assert LIVING not in differences.partition("PLAY RECAP")[0]
