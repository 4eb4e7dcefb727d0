# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets that hosts go by and the control node does not have."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.nrs.network_routing.plugins.filter.lost_secrets import lost_secrets

FILES = {
    "endpoint_1": ["api_tokens_network_access_endpoint", "ca.pem", "device_keys"],
    "endpoint_2": ["device_key"],
    "lb": ["ca.pem", "signers"],
    "new": [],
    "router_1": ["router_key"],
    "router_2": ["psk"],
}


@pytest.mark.parametrize(
    ("kind", "hosts"),
    [
        ("PSK", "endpoint_1, endpoint_2, router_1, router_2"),
        ("signing key", "endpoint_1, lb"),
        ("CA", "endpoint_1, lb"),
    ],
)
def test_each_kind_is_told_by_what_comes_of_it(kind: str, hosts: str) -> None:
    assert lost_secrets([kind], FILES) == ["%s (%s)" % (kind, hosts)]


def test_what_no_host_has_may_be_made() -> None:
    assert lost_secrets(["PSK", "signing key", "CA"], {"new": [], "other": ["psk.note"]}) == []


def test_only_what_is_missing_is_lost() -> None:
    assert lost_secrets([], FILES) == []


def test_of_many_hosts_a_few_are_named() -> None:
    files = {"router_%d" % number: ["psk"] for number in range(9)}
    (line,) = lost_secrets(["PSK"], files)
    assert line.endswith("router_3, router_4 and 4 more)")


def test_another_kind_is_a_mistake() -> None:
    with pytest.raises(AnsibleFilterError, match="no kind of secret: 'psk'"):
        lost_secrets(["psk"], FILES)
