"""A host that dies while a playbook runs does not hold it up, and the others are looked at."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

DYING, LIVING = "endpoint_2", "endpoint_1"
NOBODY = "192.0.2.254"
"""No host of the lab: each endpoint asks for 10 s in vain."""
NOTICED_S = 60
"""After 25 s, on a busy machine; TCP alone takes minutes."""


def test_a_host_that_dies_meanwhile_holds_up_nothing(lab: Any, wait: Callable[..., float]) -> None:
    wait(lab.all_up, 30, "all tunnels up")
    asks = ("pgrep", "-f", f"^ping .*{NOBODY}")
    died: list[float] = []

    def die() -> None:
        def asking() -> bool:
            return all(
                lab.run("exec", host, *asks, check=False).returncode == 0
                for host in (DYING, LIVING)
            )

        wait(asking, 120, "the endpoints are asked to ping")
        lab.run("cut", DYING, "eth0")
        died.append(time.monotonic())

    killer = threading.Thread(target=die)
    killer.start()
    targets = json.dumps({"verify_ping_targets": [NOBODY]})
    try:
        ended = lab.ansible("ansible-playbook", "nrs.network_routing.verify", "-e", targets)
        took = time.monotonic() - died[0]
    finally:
        killer.join()
        lab.run("join", DYING, "eth0")
    assert took < NOTICED_S
    assert ended.returncode != 0
    said = ended.stdout.rpartition("TASK ")[2]
    assert f"{DYING}: not looked at" in said, ended.stdout
    assert f"{LIVING}: no answer through tun0 from {NOBODY}" in said
    wait(lab.all_up, 30, "all tunnels up again")
