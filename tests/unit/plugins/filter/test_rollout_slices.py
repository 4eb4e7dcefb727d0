# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many hosts change at once, and when enough of them were lost."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.filter.rollout_slices import (
    lost_share,
    rollout_slices,
)

PROTOCOL = {"__common_change": {"from": "a", "to": "b", "protocols": [1, 2]}}
SAME_PROTOCOL = {"__common_change": {"from": "a", "to": "b", "protocols": [2, 2]}}
CHANGE = {"__common_change": {"from": "a", "to": "b"}}
LOST = {"__common_change_begun": True, "__common_change_ended": False}
THROUGH = {"__common_change_begun": True, "__common_change_ended": True}


@pytest.mark.parametrize(
    ("hostvars", "expected"),
    [
        ({"a": {}, "b": {}}, ["100%"]),
        ({"a": {}, "b": CHANGE}, [1, "10%", "20%"]),
        ({}, ["100%"]),
    ],
)
def test_hosts_change_in_slices_where_a_release_does(
    hostvars: dict[str, dict[str, Any]], expected: list[int | str]
) -> None:
    assert rollout_slices(hostvars, ["a", "b"], [1, "10%", "20%"]) == expected


@pytest.mark.parametrize(
    ("hostvars", "tunnels", "expected"),
    [
        ({"a": SAME_PROTOCOL, "b": PROTOCOL}, True, ["100%"]),
        ({"a": SAME_PROTOCOL, "b": PROTOCOL}, False, [1]),
        ({"a": SAME_PROTOCOL, "b": CHANGE}, True, [1]),
        ({}, True, ["100%"]),
    ],
)
def test_hosts_with_tunnels_change_at_once_where_their_protocol_does(
    hostvars: dict[str, dict[str, Any]], tunnels: bool, expected: list[int | str]
) -> None:
    assert rollout_slices(hostvars, ["a", "b"], [1], tunnels) == expected


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([{}, {}], 0.0),
        ([THROUGH, THROUGH, {}], 0.0),
        ([THROUGH, LOST, {}, {}], 50.0),
        ([LOST], 100.0),
        ([THROUGH] * 9 + [LOST], 10.0),
    ],
)
def test_the_share_is_of_those_that_were_tried(
    states: list[dict[str, Any]], expected: float
) -> None:
    hostvars = {str(number): state for number, state in enumerate(states)}
    assert lost_share(hostvars, list(hostvars)) == expected
