# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of host that wheels are built for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.filter.build_targets import build_targets

CONFIGURED = [{"version": "3.13", "machine": "x86_64"}, {"version": "3.10", "machine": "aarch64"}]


def looked_at(python: str, machine: str = "x86_64", release: str = "") -> dict[str, Any]:
    probe = {"python": python, "machine": machine, "has_tun": True, "release": release}
    said = json.dumps(probe)
    return {"__common_probe": {"stdout": said, "rc": 0}}


def test_each_kind_once() -> None:
    hostvars = {
        "a": looked_at("3.11"),
        "b": looked_at("3.12", "aarch64"),
        "c": looked_at("3.11"),
        "d": looked_at("3.10"),
    }
    found = build_targets(hostvars, list(hostvars), CONFIGURED)
    assert found == ["3.10-x86_64 keep", "3.11-x86_64 keep", "3.12-aarch64 keep"]


def test_hosts_of_another_play_do_not_count() -> None:
    hostvars = {"a": looked_at("3.11"), "b": looked_at("3.12")}
    assert build_targets(hostvars, ["a"], CONFIGURED) == ["3.11-x86_64 keep"]


def test_one_host_that_was_looked_at_is_enough() -> None:
    assert build_targets({"a": {}, "b": looked_at("3.12")}, ["a", "b"], CONFIGURED) == [
        "3.12-x86_64 keep"
    ]


def test_by_what_is_installed_and_what_is_wished() -> None:
    hostvars = {
        "a": looked_at("3.11", release="1.0.0 0123abcd 3.11-x86_64"),
        "b": looked_at("3.11") | {"nrs_codec": "python"},
        "c": looked_at("3.11", release="1.0.0 0123abcd 3.11-x86_64"),
    }
    assert build_targets(hostvars, list(hostvars)) == [
        "3.11-x86_64 keep 1.0.0 0123abcd 3.11-x86_64",
        "3.11-x86_64 python",
    ]


def test_as_configured_where_none_was_looked_at() -> None:
    found = build_targets({"localhost": {}}, ["localhost"], CONFIGURED)
    assert found == ["3.10-aarch64 keep", "3.13-x86_64 keep"]


def test_neither_looked_at_nor_configured() -> None:
    assert build_targets({"localhost": {}}, ["localhost"]) == []


def test_a_host_that_said_something_else() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        build_targets({"a": {"__common_probe": {"stdout": "Welcome!"}}}, ["a"])
