# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told of the hosts of a network, and what of it is not green."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.nrs.network_routing.plugins.filter.network_status import network_status

GROUPS = {
    "load_balancers": ["lb"],
    "routing_servers": ["router_1"],
    "network_access_endpoints": ["endpoint_1"],
}
USES = {"network_access_endpoint_routers": [{"router_id": "router_1"}, {"router_id": "r2"}]}
IN_FORCE: dict[str, Any] = {"release": "1.0.0 abc", "files_not_in_force": [], "reload_error": None}
BALANCER = {**IN_FORCE, "role": "load_balancer", "servers": []}
ROUTER: dict[str, Any] = {
    **IN_FORCE,
    "role": "routing_server",
    "config_version": 0,
    "egress_up": True,
    "draining": False,
    "problems": [],
    "tunnels": [{"endpoint_id": "endpoint_1", "up": True, "active": True}],
}
ENDPOINT: dict[str, Any] = {
    **IN_FORCE,
    "role": "network_access_endpoint",
    "config_version": 7,
    "problems": [],
    "tunnels": [
        {"router_id": "router_1", "up": True, "active": True},
        {"router_id": "r2", "up": True, "active": False},
    ],
}


def asked(*reports: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What was registered on a host."""
    said = json.dumps(reports[0] if len(reports) == 1 else reports)
    return {"stdout": said if reports else "", "stderr": "", **more}


def look(**hosts: dict[str, Any]) -> dict[str, list[str]]:
    """What is told, where `hosts` answer otherwise than well."""
    answers = {"lb": asked(BALANCER), "router_1": asked(ROUTER), "endpoint_1": asked(ENDPOINT)}
    answers |= hosts
    hostvars: dict[str, dict[str, Any]] = {
        host: {"seen": answer} for host, answer in answers.items()
    }
    hostvars["endpoint_1"] |= USES
    return network_status(hostvars, GROUPS, "seen")


def test_what_is_green() -> None:
    found = look()
    assert found["problems"] == []
    told = [" ".join(line.split()) for line in found["table"]]
    assert told == [
        "host unit release files pushed tunnels active router",
        "lb load_balancer 1.0.0 abc in force - - -",
        "router_1 routing_server 1.0.0 abc in force - 1/1 -",
        "endpoint_1 network_access_endpoint 1.0.0 abc in force 7 2/2 router_1",
    ]


@pytest.mark.parametrize(
    ("host", "answer", "problem"),
    [
        ("lb", asked(unreachable=True), "lb: does not answer"),
        ("lb", {}, "lb: load_balancer does not run"),
        ("lb", asked(stderr="no agent\nhere"), "lb: load_balancer does not run: no agent"),
        ("router_1", asked(BALANCER), "router_1: routing_server does not run"),
        (
            "router_1",
            asked({**ROUTER, "files_not_in_force": ["/etc/psk"]}),
            "router_1: routing_server does not go by /etc/psk",
        ),
        ("router_1", asked({**ROUTER, "reload_error": "no"}), "router_1: routing_server: no"),
        ("router_1", asked({**ROUTER, "draining": True}), "router_1: is being drained"),
        (
            "router_1",
            asked({**ROUTER, "egress_up": False, "egress_reason": "eth1 is gone"}),
            "router_1: egress is down: eth1 is gone",
        ),
        (
            "router_1",
            asked({**ROUTER, "problems": [{"since": 1, "what": "no room"}]}),
            "router_1: no room",
        ),
        ("router_1", asked({**ROUTER, "tunnels": []}), "router_1: no tunnel with endpoint_1"),
        (
            "endpoint_1",
            asked({**ENDPOINT, "tunnels": ENDPOINT["tunnels"][:1]}),
            "endpoint_1: no tunnel with r2",
        ),
        (
            "endpoint_1",
            asked(
                {
                    **ENDPOINT,
                    "tunnels": [
                        {"router_id": name, "up": True, "active": False}
                        for name in ("router_1", "r2")
                    ],
                }
            ),
            "endpoint_1: has no active router",
        ),
    ],
)
def test_what_is_not_green_is_one_line(host: str, answer: dict[str, Any], problem: str) -> None:
    assert look(**{host: answer})["problems"] == [problem]


def test_one_that_was_not_asked() -> None:
    found = network_status({"lb": {}}, {"load_balancers": ["lb"]}, "seen")
    assert found["problems"] == ["lb: was not asked"]
    assert found["table"][1].split() == ["lb", "load_balancer", *"-----"]


def test_several_agents_on_a_host() -> None:
    assert look(router_1=asked(BALANCER, ROUTER))["problems"] == []


def test_what_is_no_status_is_named() -> None:
    with pytest.raises(AnsibleFilterError, match="lb: nrs status --json says no JSON"):
        look(lb={"stdout": "hello"})
