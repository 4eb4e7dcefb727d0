# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one host's play sees of another host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.plugin_utils._inventory import (
    given,
    management_address,
)
from jinja2 import StrictUndefined

NOT_THERE = StrictUndefined(name="ansible_default_ipv4")


class Lazy(Mapping[str, Any]):
    """A host's variables as Ansible has them: each is templated when it is asked for."""

    def __init__(self, **variables: Any) -> None:
        self.variables = variables

    def __getitem__(self, name: str) -> Any:
        if name == "nrs_psk":
            raise AssertionError("a secret was asked for")
        return self.variables[name]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("all variables were asked for")

    def __len__(self) -> int:
        return len(self.variables)


def test_only_what_is_asked_for_is_templated() -> None:
    hostvars = {"lb": Lazy(nrs_psk="s", load_balancer_bind_port=9000)}
    assert given(hostvars, "lb", "load_balancer_bind_port", 8080) == 9000
    assert given(hostvars, "lb", "network_controller_bind_port", 8090) == 8090
    assert given(hostvars, "lb", "routing_server_server_id") is None


def test_what_is_made_of_something_undefined_is_not_given() -> None:
    assert given({"lb": Lazy(port=NOT_THERE)}, "lb", "port", 8080) == 8080


@pytest.mark.parametrize(
    ("variables", "address"),
    [
        ({"nrs_management_address": "192.0.2.1", "ansible_host": "192.0.2.2"}, "192.0.2.1"),
        ({"ansible_host": "2001:db8::2"}, "2001:db8::2"),
        ({"nrs_management_address": NOT_THERE, "ansible_host": "192.0.2.2"}, "192.0.2.2"),
        ({"nrs_management_address": "", "ansible_host": None}, "lb.example.org"),
        ({}, "lb.example.org"),
    ],
)
def test_where_a_host_is_reached(variables: dict[str, Any], address: str) -> None:
    assert management_address({"lb.example.org": Lazy(**variables)}, "lb.example.org") == address
