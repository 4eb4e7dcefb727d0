# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Networks behind endpoints: what routing servers let them have, and what overlaps."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.filter.advertised_overlaps import (
    advertised_overlaps,
)
from ansible_collections.nrs.network_routing.plugins.filter.advertised_prefixes import (
    advertised_prefixes,
)
from jinja2 import Undefined

GROUPS = {
    "routing_servers": ["router_1"],
    "network_access_endpoints": ["endpoint_1", "endpoint_2"],
}
OWN = "10.10.0.0/16 of the endpoints' own addresses"


def hosts(one: Any, two: Any = (), **router: Any) -> dict[str, dict[str, Any]]:
    return {
        "router_1": {"routing_server_tun_ipv4": "10.99.1.1/16", **router},
        "endpoint_1": {
            "network_access_endpoint_tun_ipv4": "10.10.100.1",
            "network_access_endpoint_advertise": one,
        },
        "endpoint_2": {"network_access_endpoint_advertise": two},
    }


def test_each_is_listed_once() -> None:
    given = hosts(["192.168.7.0/24", "FD00:7::/64"], ["fd00:7::/64", " 192.168.8.0/24"])
    found = advertised_prefixes(given, GROUPS["network_access_endpoints"])
    assert found == ["192.168.7.0/24", "fd00:7::/64", "192.168.8.0/24"]


@pytest.mark.parametrize("value", [Undefined(), None, "192.168.7.0/24", ["home", "192.168.7.1/24"]])
def test_what_is_no_list_of_networks_is_left_out(value: Any) -> None:
    assert advertised_prefixes(hosts(value), GROUPS["network_access_endpoints"]) == []
    assert advertised_overlaps(hosts(value), GROUPS) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (hosts(["192.168.7.0/24"], ["192.168.8.0/24"]), []),
        (hosts([], []), []),
        (
            hosts(["192.168.7.0/24"], ["192.168.0.0/16"]),
            ["192.168.7.0/24 of endpoint_1 and 192.168.0.0/16 of endpoint_2"],
        ),
        (
            hosts(["fd00:7::/64", "fd00:7:0:0::/80"]),
            ["fd00:7::/64 of endpoint_1 and fd00:7::/80 of endpoint_1"],
        ),
        (
            hosts(["10.99.8.0/24"]),
            ["10.99.8.0/24 of endpoint_1 and 10.99.1.1/16 of router_1"],
        ),
        (
            hosts(["10.10.0.0/17"]),
            [
                "10.10.0.0/17 of endpoint_1 and 10.10.100.1 of endpoint_1",
                f"10.10.0.0/17 of endpoint_1 and {OWN}",
            ],
        ),
        (hosts(["10.10.8.0/24"], routing_server_endpoint_networks=["10.10.100.0/24"]), []),
    ],
)
def test_overlaps(given: dict[str, dict[str, Any]], said: list[str]) -> None:
    assert advertised_overlaps(given, GROUPS) == said
