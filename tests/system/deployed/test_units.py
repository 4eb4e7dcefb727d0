"""What the units allow the agents, tried inside of them under the hosts' systemd."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

PROBE = "nrs_probe"
UNIT = f"/run/systemd/system/{PROBE}.service"
PROGRAM = Path(__file__).with_name("confined.py")
PYTHON = "/opt/network-routing-system/current/bin/python"
MOST_EXPOSED = 2.0
EVERY = {
    "write its state",
    "open /dev/null",
    "AF_INET6",
    "AF_NETLINK",
    "run its interpreter",
}
TUNNEL = {"open /dev/net/tun", "run nft"}
WORKING = {
    "load_balancer": EVERY,
    "network_controller": EVERY,
    "routing_server": EVERY | TUNNEL,
    "network_access_endpoint": EVERY | TUNNEL,
}
"""All else that is tried must fail."""


def confined(unit: str) -> str:
    """The unit, but for what it runs, when, and where it keeps things."""
    left_out = ("Exec(Start|Stop|StopPost|Reload)=", "Type=", "Restart", "FileDescriptorStore")
    lines = [line for line in unit.splitlines() if not re.match("|".join(left_out), line)]
    text = "\n".join(lines)
    for place in ("Directory=", "%S/", "%L/", "%t/"):
        text = text.replace(f"{place}network-routing-system", f"{place}{PROBE}")
    code = base64.b64encode(PROGRAM.read_bytes()).decode()
    run = f"import base64; exec(base64.b64decode('{code}'))"
    return text.replace("[Service]", f'[Service]\nType=oneshot\nExecStart={PYTHON} -c "{run}"')


@pytest.mark.parametrize("unit", WORKING)
def test_an_agent_that_was_taken_over_is_confined(lab: Any, unit: str) -> None:
    host = next(name for name, its in lab.UNITS if its == unit)
    text = confined(lab.exec(host, "cat", f"/etc/systemd/system/{unit}.service"))
    code = base64.b64encode(text.encode()).decode()
    lab.exec(host, "sh", "-c", f"echo {code} | base64 -d >{UNIT} && systemctl daemon-reload")
    try:
        lab.exec(host, "systemctl", "start", PROBE)
        said = lab.exec(
            host, "journalctl", "-q", "-o", "cat", "-u", PROBE, "_COMM=python", "-n", "1"
        )
        found = json.loads(said)
    finally:
        places = f"/var/lib/{PROBE} /var/log/{PROBE}"
        lab.exec(host, "sh", "-c", f"rm -rf {UNIT} {places} && systemctl daemon-reload")
    assert {name for name, worked in found.items() if worked} == WORKING[unit]
    assert len(found) > len(WORKING[unit])


def test_units_are_little_exposed(lab: Any) -> None:
    for host, unit in lab.UNITS:
        said = lab.exec(host, "systemd-analyze", "security", "--no-pager", f"{unit}.service")
        level = re.search(r"exposure level for .*: ([0-9.]+) ", said)
        assert level, said
        assert float(level[1]) <= MOST_EXPOSED, host
