# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""failover_event_info against a controller with more moves than it answers at once."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.modules import failover_event_info
from ansible_collections.nrs.network_routing.tests.unit.plugins.api_server import (
    Answer,
    ApiServer,
    Asked,
)
from ansible_collections.nrs.network_routing.tests.unit.plugins.conftest import Run


class Controller:
    """The one request that the module uses; an event a second has arrived, from 1 on."""

    def __init__(self, api: ApiServer, count: int) -> None:
        self.api = api
        self.events = [{"device_id": "e1", "number": n, "when": float(n)} for n in range(1, count)]
        api.handle("GET", "/events", self._events)

    def _events(self, asked: Asked) -> Answer:
        limit = int(asked.query["limit"])
        if not 1 <= limit <= 1000:
            return Answer(400, {"error": "must be a number from 1 to 1000", "field": "limit"})
        return Answer(body={"timestamp": 1.0, "events": self.events[-limit:]})


def numbers(result: dict[str, Any]) -> list[int]:
    return [event["number"] for event in result["events"]]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(
    ("count", "options", "found", "more"),
    [
        (5, {}, [1, 2, 3, 4], False),
        (5, {"limit": 4}, [1, 2, 3, 4], False),
        (5, {"limit": 3}, [2, 3, 4], True),
        (5, {"since": 3.0}, [3, 4], False),
        (5, {"since": 2.5, "limit": 1}, [4], True),
        (5, {"since": 9.0}, [], False),
        (1, {}, [], False),
        (2000, {"limit": 2}, [1998, 1999], True),
        (2000, {"limit": 1000}, list(range(1000, 2000)), True),
        (2000, {"since": 500.0, "limit": 1000}, list(range(1000, 2000)), True),
        (2000, {"since": 1998.0, "limit": 1000}, [1998, 1999], False),
    ],
)
def test_those_that_are_asked_for(
    run: Run,
    api: ApiServer,
    check: bool,
    count: int,
    options: dict[str, Any],
    found: list[int],
    more: bool,
) -> None:
    controller = Controller(api, count)
    result = run(failover_event_info, check=check, url=controller.api.url, **options)
    assert (numbers(result), result["more"], result["changed"]) == (found, more, False)


def test_those_of_one_device(run: Run, api: ApiServer) -> None:
    Controller(api, 5)
    run(failover_event_info, url=api.url, device_id="e1")
    run(failover_event_info, url=api.url)
    assert [asked.query.get("device_id") for asked in api.asked] == ["e1", None]


def test_a_device_that_is_not_registered(run: Run, api: ApiServer) -> None:
    refusal = {"error": "device 'e9' is not registered", "field": "device_id"}
    api.on("GET", "/events", Answer(404, refusal))
    result = run(failover_event_info, url=api.url, device_id="e9")
    assert result["failed"] and result["status"] == 404
    assert "device 'e9' is not registered" in result["msg"]


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_limit_that_cannot_be(run: Run, api: ApiServer, limit: int) -> None:
    result = run(failover_event_info, url=api.url, limit=limit)
    assert result["failed"] and "limit must be from 1 to 1000, found %d" % limit in result["msg"]
    assert api.asked == []


@pytest.mark.parametrize("body", [{}, {"events": {}}, {"events": ["x"]}, {"events": [{}]}])
def test_an_answer_of_another_shape(run: Run, api: ApiServer, body: dict[str, Any]) -> None:
    api.on("GET", "/events", Answer(body=body))
    result = run(failover_event_info, url=api.url, since=1.0)
    assert result["failed"] and "no usable" in result["msg"]
