"""Asking the hosts how they are."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from lab import report
from lab.hosts import Hosts
from lab.topology import MANAGEMENT
from testbed.failed import Failed

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


@dataclass(frozen=True)
class Deployment:
    """What the agents report, and what could not be had of it."""

    tunnels: dict[str, dict[str, Any]]  # `nrs status --json` by endpoint
    scores: dict[str, Any] | None  # the load balancer's /status
    problems: tuple[str, ...]

    def text(self) -> str:
        parts = list(self.problems)
        if self.tunnels:
            parts.append(report.tunnels(self.tunnels))
        if self.scores is not None:
            parts.append(report.scores(self.scores))
        return "\n\n".join(parts)


def deployment(hosts: Hosts) -> Deployment:
    """Ask the endpoints and the load balancer; one that does not answer is a problem noted."""
    tunnels: dict[str, dict[str, Any]] = {}
    scores: dict[str, Any] | None = None
    problems = []
    for host in hosts.topology.hosts:
        if not host.name.startswith("endpoint_"):
            continue
        try:
            tunnels[host.name] = json.loads(hosts.podman.output(host, "nrs", "status", "--json"))
        except (Failed, ValueError) as error:
            problems.append(f"{host.name}: no tunnel status: {_last_line(error)}")
    try:
        said = hosts.podman.output(hosts.topology.host("lb"), "python3", "-c", _GET_STATUS)
        scores = json.loads(said)
    except (Failed, ValueError) as error:
        problems.append(f"lb: no scores: {_last_line(error)}")
    return Deployment(tunnels, scores, tuple(problems))


def deployed(hosts: Hosts) -> bool:
    """Whether the agents have been installed."""
    try:
        hosts.podman.output(hosts.topology.host("lb"), "test", "-e", "/usr/local/bin/nrs")
    except Failed:
        return False
    return True


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]
