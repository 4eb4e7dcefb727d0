# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the hosts' APIs are."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.filter.api_urls import (
    api_url,
    api_urls,
    management_addresses,
)

HOSTVARS: dict[str, dict[str, Any]] = {
    "lb1": {"ansible_host": "2001:db8::10"},
    "lb2.example.org": {"load_balancer_bind_port": 9000},
    "lb3": {"nrs_management_address": "192.0.2.5", "ansible_host": "192.0.2.6"},
    "router_1": {"ansible_host": "192.0.2.21"},
}
BALANCERS = ["lb3", "lb1", "lb2.example.org"]


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("192.0.2.1", "https://192.0.2.1:8080"),
        ("lb.example.org", "https://lb.example.org:8080"),
        ("2001:db8::1", "https://[2001:db8::1]:8080"),
        ("::1", "https://[::1]:8080"),
        ("::ffff:192.0.2.1", "https://[::ffff:192.0.2.1]:8080"),
        ("lb", "https://lb:8080"),
    ],
)
def test_a_url(address: str, url: str) -> None:
    assert api_url(address, 8080) == url
    assert api_url(address, "8080") == url
    for plain in (True, "true", "yes"):
        assert api_url(address, 8080, plain) == url.replace("https:", "http:")
    assert api_url(address, 8080, "false") == url


def test_urls_in_the_order_of_the_group() -> None:
    assert api_urls(HOSTVARS, BALANCERS, "load_balancer_bind_port", 8080) == [
        "https://192.0.2.5:8080",
        "https://[2001:db8::10]:8080",
        "https://lb2.example.org:9000",
    ]


def test_a_host_may_be_reached_by_plain_http() -> None:
    hostvars = {**HOSTVARS, "lb1": {**HOSTVARS["lb1"], "nrs_api_plain": "true"}}
    assert api_urls(hostvars, BALANCERS, "load_balancer_bind_port", 8080) == [
        "https://192.0.2.5:8080",
        "http://[2001:db8::10]:8080",
        "https://lb2.example.org:9000",
    ]


def test_the_port_of_another_agent_does_not_count() -> None:
    urls = api_urls(HOSTVARS, ["lb2.example.org"], "network_controller_bind_port", 8090)
    assert urls == ["https://lb2.example.org:8090"]


def test_addresses_in_the_order_of_the_group() -> None:
    found = management_addresses(HOSTVARS, [*BALANCERS, "router_1"])
    assert found == ["192.0.2.5", "2001:db8::10", "lb2.example.org", "192.0.2.21"]


def test_a_group_without_hosts() -> None:
    assert api_urls(HOSTVARS, [], "load_balancer_bind_port", 8080) == []
    assert management_addresses(HOSTVARS, []) == []
