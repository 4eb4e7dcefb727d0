# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the change of a PSK is, and who has yet to follow."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.nrs.network_routing.plugins.filter.psk_rotation import (
    earlier_keys,
    psk_rotation,
)


def files(*epochs: int) -> list[str]:
    """The routers' files, each with its epoch."""
    return ["tunnel:\n  key_epoch: %d\n  previous_psk_file: x\n" % epoch for epoch in epochs]


@pytest.mark.parametrize(
    ("deployed", "wanted", "begun", "has_previous", "comes"),
    [
        ((0, 0), 1, "", False, "begin"),
        ((1, 1), "2", "1", False, "begin"),
        ((255,), 0, "255", False, "begin"),
        ((0, 0), 1, "1", True, "go on"),
        ((0, 1), 1, "1", True, "go on"),
        ((1, 1), 1, "1", True, "go on"),
        ((1, 1), 1, "", True, "go on"),
        ((255, 0), 0, "0", True, "go on"),
        ((1, 1), 1, "1", False, "done"),
        ((0, 1), 1, "", False, "done"),
        ((0,), 0, "", False, "done"),
    ],
)
def test_what_comes_next(
    deployed: tuple[int, ...], wanted: int, begun: str, has_previous: bool, comes: str
) -> None:
    assert psk_rotation(files(*deployed), wanted, begun, has_previous) == comes


@pytest.mark.parametrize(
    ("deployed", "wanted", "begun", "has_previous", "why"),
    [
        ((), 1, "", False, "no routing server says"),
        ((0, 0), 2, "", False, "nrs_key_epoch is 2, and routing servers go by 0: set it to one"),
        ((1,), 0, "", False, "nrs_key_epoch is 0, and routing servers go by 1"),
        ((0, 1), 2, "", False, "go by 0 and 1"),
        ((0, 1), 3, "", True, "nrs_key_epoch is 3, and routing servers go by 0 and 1"),
        ((1, 1), 0, "0", True, "nrs_key_epoch is 0, and routing servers go by 1"),
        ((0, 2), 2, "2", True, "go by 0 and 2"),
        ((1, 1), 2, "1", True, "changed to nrs_key_epoch 1, which has not ended"),
    ],
)
def test_what_would_lock_devices_out(
    deployed: tuple[int, ...], wanted: int, begun: str, has_previous: bool, why: str
) -> None:
    with pytest.raises(AnsibleFilterError, match=why):
        psk_rotation(files(*deployed), wanted, begun, has_previous)


def asked(*tunnels: tuple[str, int, bool]) -> dict[str, Any]:
    """What a router said of its tunnels."""
    told = [{"endpoint_id": name, "key_epoch": epoch, "up": up} for name, epoch, up in tunnels]
    return {"seen": {"stdout": json.dumps({"role": "routing_server", "tunnels": told})}}


def test_who_has_yet_to_follow() -> None:
    hostvars: dict[str, dict[str, Any]] = {
        "router_1": asked(("endpoint_1", 1, True), ("e2", 0, True), ("endpoint_3", 1, False)),
        "router_2": asked(("e2", 1, True), ("stranger", 1, True), ("old", 1, False)),
        "router_3": {"seen": {"unreachable": True}},
        "router_5": asked(("old", 0, True), ("stranger", 0, True)),
        "router_4": {},
        "endpoint_1": {},
        "endpoint_2": {"network_access_endpoint_endpoint_id": "e2"},
        "endpoint_3": {},
        "endpoint_4": {},
    }
    groups = {
        "routing_servers": [f"router_{n}" for n in range(1, 6)],
        "network_access_endpoints": [f"endpoint_{n}" for n in range(1, 5)],
    }
    assert earlier_keys(hostvars, groups, "seen", "1") == ["endpoint_3", "endpoint_4", "old"]
    assert earlier_keys(hostvars, groups, "seen", 2) == [
        "e2",
        *(f"endpoint_{n}" for n in (1, 3, 4)),
        "old",
        "stranger",
    ]
