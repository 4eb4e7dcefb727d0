# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: what runs on the hosts of an inventory, and what of it is not as it should be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.nrs.network_routing.plugins.plugin_utils._inventory import (
    HostVars,
    given,
)

Report = Mapping[str, Any]

_UNITS = {
    "load_balancers": "load_balancer",
    "network_controllers": "network_controller",
    "routing_servers": "routing_server",
    "network_access_endpoints": "network_access_endpoint",
}
_HEAD = ("host", "unit", "release", "files", "pushed", "tunnels", "active router")
_STAMP = 24
"""Characters of a release's stamp that are shown."""


def network_status(
    hostvars: HostVars, groups: Mapping[str, Sequence[str]], variable: str
) -> dict[str, list[str]]:
    """`{"table", "problems"}`: a line for each agent under a head, and one for what is not green.

    `variable` of each host is the registered result of `nrs status --json` there. Raises
    AnsibleFilterError where `nrs` says something else.
    """
    rows: list[tuple[str, ...]] = [_HEAD]
    problems: list[str] = []
    for group, unit in _UNITS.items():
        for host in groups.get(group, ()):
            report = _report(hostvars[host].get(variable), host, unit)
            if isinstance(report, str):
                problems.append("%s: %s" % (host, report))
                rows.append((host, unit, *["-"] * (len(_HEAD) - 2)))
                continue
            wanted = _wanted(hostvars, groups, host, unit)
            rows.append((host, unit, *_cells(report, unit, wanted)))
            problems += ["%s: %s" % (host, one) for one in _problems(report, unit, wanted)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    shape = "  ".join("%%-%ds" % width for width in widths)
    return {"table": [(shape % row).rstrip() for row in rows], "problems": problems}


def _report(asked: Any, host: str, unit: str) -> Report | str:
    """What the agent says of itself, or why it says nothing."""
    if not isinstance(asked, Mapping):
        return "was not asked"
    if asked.get("unreachable"):
        return "does not answer"
    said = str(asked.get("stdout") or "").strip()
    try:
        found = json.loads(said) if said else []
    except ValueError as error:
        raise AnsibleFilterError("%s: nrs status --json says no JSON: %s" % (host, error)) from None
    reports: list[Report] = found if isinstance(found, list) else [found]
    for report in reports:
        if report.get("role") == unit:
            return report
    why = str(asked.get("stderr") or asked.get("msg") or "").strip()
    return "%s does not run%s" % (unit, ": " + why.splitlines()[0] if why else "")


def _wanted(
    hostvars: HostVars, groups: Mapping[str, Sequence[str]], host: str, unit: str
) -> list[str]:
    """The ids of those that it is to have a tunnel with."""
    if unit == "network_access_endpoint":
        return _routers(hostvars, host)
    if unit != "routing_server":
        return []
    own = str(given(hostvars, host, "routing_server_server_id", host))
    return [
        str(given(hostvars, endpoint, "network_access_endpoint_endpoint_id", endpoint))
        for endpoint in groups.get("network_access_endpoints", ())
        if own in _routers(hostvars, endpoint)
    ]


def _routers(hostvars: HostVars, host: str) -> list[str]:
    entries = given(hostvars, host, "network_access_endpoint_routers", ())
    return [str(entry["router_id"]) for entry in entries]


def _cells(report: Report, unit: str, wanted: Sequence[str]) -> Iterator[str]:
    yield str(report.get("release", "?"))[:_STAMP]
    yield "stale" if report.get("files_not_in_force") else "in force"
    has_tunnels = "tunnels" in report and unit in ("routing_server", "network_access_endpoint")
    yield str(report.get("config_version") or "-") if has_tunnels else "-"
    yield "%d/%d" % (len(_up(report)), len(wanted)) if has_tunnels else "-"
    yield ", ".join(_active(report)) or "none" if unit == "network_access_endpoint" else "-"


def _problems(report: Report, unit: str, wanted: Sequence[str]) -> Iterator[str]:
    if stale := report.get("files_not_in_force"):
        yield "%s does not go by %s" % (unit, ", ".join(stale))
    if error := report.get("reload_error"):
        yield "%s: %s" % (unit, error)
    for one in report.get("problems") or ():
        yield str(one["what"])
    if not report.get("egress_up", True):
        yield "egress is down: %s" % (report.get("egress_reason") or "no reason is given")
    if report.get("draining"):
        yield "is being drained"
    up = _up(report)
    for peer in wanted:
        if peer not in up:
            yield "no tunnel with %s" % peer
    if unit == "network_access_endpoint" and not _active(report):
        yield "has no active router"


def _up(report: Report) -> set[str]:
    tunnels = report.get("tunnels") or ()
    return {str(t.get("router_id") or t.get("endpoint_id")) for t in tunnels if t.get("up")}


def _active(report: Report) -> list[str]:
    return [str(t["router_id"]) for t in report.get("tunnels") or () if t.get("active")]


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name to function."""
        return {"network_status": network_status}
