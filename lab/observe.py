"""Asking the hosts how they are."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lab import report
from lab.hosts import Hosts
from lab.shell import LabError
from lab.topology import MANAGEMENT, Host

# On the host itself: reads from loopback need no token.
_GET_STATUS = (
    "import sys, urllib.request;"
    "sys.stdout.buffer.write("
    "urllib.request.urlopen('http://localhost:8080/status', timeout=5).read())"
)


def hosts_table(hosts: Hosts) -> str:
    """Every host with its state, management address and the cables that are pulled."""
    present = hosts.podman.containers()
    all_hosts = hosts.topology.hosts
    with ThreadPoolExecutor() as pool:
        states = list(pool.map(hosts.podman.state, all_hosts)) if present else []
    cut: dict[str, list[str]] = {}
    for host, interface in hosts.network.cut_interfaces():
        cut.setdefault(host.name, []).append(interface.name)
    rows = [
        (
            host.name,
            states[index] if host.name in present else "absent",
            host.on(MANAGEMENT)[0].plain_addresses[-1],
            " ".join(interface.name for interface in host.interfaces),
            " ".join(cut.get(host.name, ())) or "-",
        )
        for index, host in enumerate(all_hosts)
    ]
    return report.table(("HOST", "STATE", "ADDRESS", "INTERFACES", "CUT"), rows)


def deployment(hosts: Hosts) -> str:
    """The tunnel table and the routers' scores, or the reason why there are none."""
    parts = []
    endpoints = [host for host in hosts.topology.hosts if host.name.startswith("endpoint_")]
    statuses = {}
    for host in endpoints:
        try:
            statuses[host.name] = _status(hosts, host)
        except (LabError, ValueError) as error:
            parts.append(f"{host.name}: no tunnel status: {_last_line(error)}")
    if statuses:
        parts.append(report.tunnels(statuses))
    try:
        said = hosts.podman.output(hosts.topology.host("lb"), "python3", "-c", _GET_STATUS)
        parts.append(report.scores(json.loads(said)))
    except (LabError, ValueError) as error:
        parts.append(f"lb: no scores: {_last_line(error)}")
    return "\n\n".join(parts)


def deployed(hosts: Hosts) -> bool:
    """Whether the agents have been installed."""
    try:
        hosts.podman.output(hosts.topology.host("lb"), "test", "-e", "/usr/local/bin/nrs")
    except LabError:
        return False
    return True


def _status(hosts: Hosts, host: Host) -> dict[str, Any]:
    status: dict[str, Any] = json.loads(hosts.podman.output(host, "nrs", "status", "--json"))
    return status


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]
