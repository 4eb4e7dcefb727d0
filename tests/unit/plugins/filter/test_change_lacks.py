# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What speaks against an agent after a change."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.filter.change_lacks import (
    change_lacks,
    drops_since,
)


def router(*endpoints: str, dropped: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "egress_up": True,
        "egress_reason": None,
        "passes": {"IPv4": "open", "IPv6": "unknown"},
        "tunnels": [{"endpoint_id": name, "up": True, "active": False} for name in endpoints],
        "figures": {"drops": {"tag": dropped, "full": 0}},
        **more,
    }


def lacks(now: dict[str, Any], before: dict[str, Any], rate: float = 0.0) -> list[str]:
    drops = {"drops": before["figures"]["drops"]["tag"], "rate": rate}
    return change_lacks(now, before, drops, 10.0)


MANY = [f"endpoint_{number:02}" for number in range(20)]
SHUT = {"IPv4": "shut", "IPv6": "unknown"}
UNKNOWN = {"IPv4": "unknown", "IPv6": "unknown"}


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ({}, ["it does not answer on its control socket"]),
        (router(*MANY[2:]), []),
        (router(*MANY[3:]), ["its tunnels with endpoint_00, endpoint_01, endpoint_02 are not up"]),
        (router(*MANY, egress_up=False, egress_reason="no carrier"), ["leads: no carrier"]),
        (router(*MANY, passes=SHUT), ["no IPv4 packet is known to get from tunnels"]),
        (router(*MANY, passes=UNKNOWN), ["no IPv4 packet is known to get from tunnels"]),
        (router(*MANY, dropped=150), []),
        (router(*MANY, dropped=500), ["it has dropped 450 packets in 10 s"]),
    ],
)
def test_a_router_has_to_have_what_it_had(now: dict[str, Any], expected: list[str]) -> None:
    found = lacks(now, router(*MANY, dropped=50))
    assert len(found) == len(expected)
    assert all(words in line for words, line in zip(expected, found, strict=True)), found


def test_what_it_had_not_is_not_asked_of_it() -> None:
    dead = router(*MANY, egress_up=False, passes=SHUT)
    assert lacks(dead, dead) == []
    assert lacks(router(), router()) == []
    older = router(*MANY)
    del older["passes"]
    assert lacks(router(*MANY, passes=UNKNOWN), older) == []
    assert lacks(older, older) == []


def test_an_endpoint_that_had_an_active_tunnel_has_one() -> None:
    tunnel = {"router_id": "router_1", "up": True, "active": True}
    before = {"tunnels": [tunnel], "figures": {"drops": {"tag": 0}}}
    assert lacks(before, before) == []
    assert change_lacks(before, before) == []
    idle = {**before, "tunnels": [{**tunnel, "active": False}]}
    assert lacks(idle, before) == ["none of its tunnels is active"]
    assert lacks(idle, idle) == []


def test_a_router_that_an_endpoint_is_not_to_have_any_more_is_not_missed() -> None:
    tunnels = [{"router_id": name, "up": True, "active": name == "r1"} for name in ("r1", "r2")]
    before = {"tunnels": tunnels, "figures": {"drops": {"tag": 0}}}
    assert lacks({**before, "tunnels": tunnels[:1]}, before) == []
    down = [tunnels[0], {**tunnels[1], "up": False}]
    assert lacks({**before, "tunnels": down}, before) == ["its tunnels with r2 are not up again"]


def test_drops_may_go_on_as_they_were() -> None:
    then, now = router(dropped=1000), router(dropped=1500)
    assert drops_since(now, then, 10.0) == {"drops": 1500, "rate": 50.0}
    assert drops_since(router(dropped=7), {}, 0.0) == {"drops": 7, "rate": 7.0}
    assert lacks(router(dropped=2000), now, rate=50.0) == []
    assert lacks(router(dropped=2700), now, rate=50.0) == ["it has dropped 1200 packets in 10 s"]
    # A process of its own has counted from nothing on.
    assert lacks(router(dropped=1000), now, rate=50.0) == []
    assert lacks(router(dropped=1400), now, rate=50.0) != []


def test_of_another_tunnel_protocol_peers_may_have_to_follow() -> None:
    def lacks_with_it(now: dict[str, Any], before: dict[str, Any]) -> list[str]:
        drops = {"drops": 0.0, "rate": 0.0}
        return change_lacks(now, before, drops, 10.0, protocol_changes=True)

    assert lacks_with_it(router(dropped=9999), router(*MANY)) == []
    assert lacks_with_it({}, router(*MANY)) == ["it does not answer on its control socket"]
    shut = lacks_with_it(router(passes=SHUT), router(*MANY))
    assert shut == ["no IPv4 packet is known to get from tunnels to its egress and back"]
    assert lacks_with_it(router(egress_up=False), router(*MANY)) != []
    idle = {"tunnels": [{"router_id": "router_1", "up": True, "active": False}]}
    assert lacks_with_it(idle, {"tunnels": []}) == [
        "none of its tunnels is active by the other tunnel protocol"
    ]
    active = {"router_id": "router_1", "up": True, "active": True}
    down = {"router_id": "router_2", "up": False, "active": False}
    two_up = {"tunnels": [active, {**down, "up": True}]}
    assert lacks_with_it({"tunnels": [active, down]}, two_up) == []
