# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a routing server takes so that the inventory's endpoints can claim their addresses."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.filter.endpoint_networks import (
    endpoint_networks,
)
from jinja2 import Undefined

DEFAULT = ["10.10.0.0/16", "fd00:10::/32", "fd00:100::/32"]


def networks(*tun: Any, **endpoints: tuple[Any, Any]) -> list[str]:
    hostvars = {
        host: {
            f"network_access_endpoint_tun_ipv{v}": text
            for v, text in zip((4, 6), addresses, strict=True)
        }
        for host, addresses in endpoints.items()
    }
    return endpoint_networks(hostvars, list(endpoints), *tun)


@pytest.mark.parametrize(
    ("tun", "address"),
    [
        (("10.10.1.1", "fd00:10:1::1"), ("10.10.100.1", "fd00:100::1")),
        (("10.10.1.1/16", "fd00:10:1::1/32"), ("10.10.100.1/32", "fd00:10:100::1/128")),
        (("192.168.7.1/24", "fd00:7::1/64"), ("192.168.7.9", "FD00:7::9")),
        (("10.10.1.1", "fd00:10:1::1"), (None, Undefined())),
        (("10.10.1.1", "fd00:10:1::1"), ("ten", "")),
        (("10.10.1.1", None), ("10.10.100.1", None)),
    ],
)
def test_the_agents_own_are_enough(tun: tuple[Any, Any], address: tuple[Any, Any]) -> None:
    assert networks(*tun, endpoint_1=address) == []


def test_those_that_are_elsewhere_are_added() -> None:
    found = networks(
        "10.10.1.1/16",
        "fd00:10:1::1/32",
        endpoint_1=("10.10.100.1", "fd00:10:100::1"),
        endpoint_2=(" 192.0.2.9/24 ", "fd00:77::9"),
        endpoint_3=("192.0.2.9", "fd00:100::3"),
    )
    assert found == [*DEFAULT, "192.0.2.9/32", "fd00:77::9/128"]


def test_without_endpoints() -> None:
    assert networks("10.10.1.1", "fd00:10:1::1") == []
