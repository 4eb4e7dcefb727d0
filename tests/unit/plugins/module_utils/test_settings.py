# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Merging configurations, and hiding their secrets."""

from __future__ import annotations

import pytest
from ansible_collections.nrs.network_routing.plugins.module_utils._settings import (
    merged,
    same,
    secrets,
    shown,
)


def test_sections_merge_and_values_replace() -> None:
    current = {"tunnel": {"port": 1, "routes": ["a", "b"]}, "metrics": {"report_interval": 10}}
    wanted = {"tunnel": {"routes": ["c"]}, "api": {"x": 1}}
    assert merged(current, wanted) == {
        "tunnel": {"port": 1, "routes": ["c"]},
        "metrics": {"report_interval": 10},
        "api": {"x": 1},
    }


def test_a_section_replaces_a_value_and_a_value_a_section() -> None:
    assert merged({"a": 1, "b": {"c": 1}}, {"a": {"d": 2}, "b": None}) == {"a": {"d": 2}, "b": None}


def test_merging_changes_neither_side() -> None:
    current, wanted = {"a": {"b": 1}}, {"a": {"c": 2}}
    merged(current, wanted)
    assert (current, wanted) == ({"a": {"b": 1}}, {"a": {"c": 2}})


@pytest.mark.parametrize("other", [{"a": True}, {"a": 1.0}, {"a": "1"}, {}, {"a": 1, "b": None}])
def test_what_json_tells_apart_is_not_the_same(other: dict[str, object]) -> None:
    assert not same({"a": 1}, other)


def test_the_order_of_keys_does_not_count() -> None:
    assert same({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1})


def test_secrets_are_found_and_hidden_at_every_depth() -> None:
    settings = {
        "tunnel": {
            "psk": "k1",
            "port": 1,
            "previous_psk": "k3",
            "device_key": "k4",
            "device_keys": {"router_1": "k5", "router_2": "k6"},
            "router_key": "k7",
        },
        "list": [{"token": "t1"}],
        "security": {"default_psk": "k2"},
    }
    found = ["k1", "k2", "k3", "k4", "k5", "k6", "k7", "t1"]
    assert sorted(secrets(settings)) == found
    text = str(shown(settings))
    assert not any(secret in text for secret in found)
    assert shown(settings)["tunnel"]["port"] == 1


def test_names_that_only_look_secret_stay() -> None:
    settings = {"tunnel": {"psk_file": "/etc/psk"}, "token_file": "/etc/token"}
    assert secrets(settings) == []
    assert shown(settings) == settings
