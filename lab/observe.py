"""Asking the hosts how they are."""

from __future__ import annotations

import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from lab import control, report
from lab.hosts import Hosts
from lab.settings import Settings
from lab.tokens import opener, operator_token
from lab.topology import MANAGEMENT
from testbed.failed import Failed

_PORT = 8080
_TIMEOUT_S = 5.0
_TOKEN_S = 60


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


def deployment(hosts: Hosts, settings: Settings) -> Deployment:
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
        scores = _status(hosts, settings)
    except (Failed, OSError, ValueError) as error:
        problems.append(f"lb: no scores: {_last_line(error)}")
    return Deployment(tunnels, scores, tuple(problems))


def _status(hosts: Hosts, settings: Settings) -> dict[str, Any]:
    """The load balancer's, asked from the control node. Raises Failed, OSError, ValueError."""
    addresses = hosts.topology.host("lb").on(MANAGEMENT)[0].plain_addresses
    url = f"https://[{next(address for address in addresses if ':' in address)}]:{_PORT}"
    token = operator_token(settings, url, _TOKEN_S)
    request = urllib.request.Request(  # noqa: S310 - of the lab
        f"{url}/status", headers={"Authorization": f"Bearer {token}"}
    )
    through = opener(settings)
    with hosts.network.up(control.NAMESPACE).inside():
        answer: dict[str, Any] = json.load(through.open(request, timeout=_TIMEOUT_S))
    return answer


def deployed(hosts: Hosts) -> bool:
    """Whether the agents have been installed."""
    try:
        hosts.podman.output(hosts.topology.host("lb"), "test", "-e", "/usr/local/bin/nrs")
    except Failed:
        return False
    return True


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]
