# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""routing_server_state against a load balancer that keeps what is set."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.modules import routing_server_state
from ansible_collections.nrs.network_routing.tests.unit.plugins.api_server import (
    Answer,
    ApiServer,
    Asked,
)
from ansible_collections.nrs.network_routing.tests.unit.plugins.conftest import Run

STATE = "/servers/router_1/state"


class LoadBalancer:
    """The two requests that the module uses."""

    def __init__(self, api: ApiServer) -> None:
        self.api = api
        self.state = "active"
        self.listed = True
        api.handle("GET", "/status", self._status)
        api.handle("PUT", STATE, self._put)

    @property
    def puts(self) -> list[Any]:
        """The bodies of all that was set."""
        return [asked.body for asked in self.api.asked if asked.method == "PUT"]

    def _told(self) -> dict[str, Any]:
        status = self.state if self.listed else None
        return {"server_id": "router_1", "state": self.state, "status": status, "reason": None}

    def _status(self, asked: Asked) -> Answer:
        other = {"server_id": "router_2", "state": "disabled", "status": "disabled"}
        return Answer(body={"servers": [other, self._told()] if self.listed else [other]})

    def _put(self, asked: Asked) -> Answer:
        changed = self.state != asked.body["state"]
        self.state = asked.body["state"]
        return Answer(body={**self._told(), "changed": changed})


@pytest.fixture
def balancer(api: ApiServer) -> LoadBalancer:
    """A load balancer whose router_1 is active."""
    return LoadBalancer(api)


def test_another_state_is_set_once(run: Run, balancer: LoadBalancer) -> None:
    options = {"url": balancer.api.url, "server_id": "router_1", "state": "draining"}
    first = run(routing_server_state, **options)
    second = run(routing_server_state, **options)
    assert (first["changed"], second["changed"]) == (True, False)
    assert balancer.puts == [{"state": "draining"}]
    assert first["diff"] == {"before": {"state": "active"}, "after": {"state": "draining"}}
    assert first["status"] == second["status"] == "draining"


def test_check_mode_predicts_and_sets_nothing(run: Run, balancer: LoadBalancer) -> None:
    options = {"url": balancer.api.url, "server_id": "router_1", "state": "disabled"}
    predicted = run(routing_server_state, check=True, **options)
    assert balancer.puts == []
    assert predicted["status"] == "active"
    done = run(routing_server_state, **options)
    for key in ("changed", "server_id", "state", "diff"):
        assert predicted[key] == done[key], key
    assert run(routing_server_state, check=True, **options)["changed"] is False


@pytest.mark.parametrize(("state", "changed"), [("active", True), ("draining", False)])
def test_one_that_is_known_by_its_state_alone(
    run: Run, balancer: LoadBalancer, state: str, changed: bool
) -> None:
    balancer.listed, balancer.state = False, "draining"
    options = {"url": balancer.api.url, "server_id": "router_1", "state": state}
    result = run(routing_server_state, **options)
    assert (result["changed"], result["status"]) == (changed, None)
    assert balancer.puts == [{"state": state}]


@pytest.mark.parametrize("check", [False, True])
def test_one_that_is_unknown(run: Run, balancer: LoadBalancer, check: bool) -> None:
    result = run(
        routing_server_state,
        check=check,
        url=balancer.api.url,
        server_id="router_9",
        state="active",
    )
    assert result["failed"] and result["status"] == 404


def test_a_name_stays_one_path_segment(run: Run, balancer: LoadBalancer) -> None:
    balancer.api.on("PUT", "/servers/a%2Fb/state", Answer(body={"changed": True}))
    assert run(routing_server_state, url=balancer.api.url, server_id="a/b", state="draining")[
        "changed"
    ]


def test_what_cannot_be_stored(run: Run, balancer: LoadBalancer) -> None:
    refusal = {"error": "the state could not be stored; nothing was changed"}
    balancer.api.on("PUT", STATE, Answer(500, refusal))
    result = run(routing_server_state, url=balancer.api.url, server_id="router_1", state="draining")
    assert result["failed"] and "could not be stored" in result["msg"]


@pytest.mark.parametrize("state", ["present", "inactive"])
def test_another_word(run: Run, balancer: LoadBalancer, state: str) -> None:
    result = run(routing_server_state, url=balancer.api.url, server_id="router_1", state=state)
    assert result["failed"] and "value of state must be one of" in result["msg"]
    assert balancer.api.asked == []


@pytest.mark.parametrize("body", [{}, {"servers": [1]}, {"servers": [{"server_id": "router_1"}]}])
def test_an_answer_of_another_shape(run: Run, api: ApiServer, body: dict[str, Any]) -> None:
    api.on("GET", "/status", Answer(body=body))
    result = run(routing_server_state, url=api.url, server_id="router_1", state="active")
    assert result["failed"] and "no usable" in result["msg"]
