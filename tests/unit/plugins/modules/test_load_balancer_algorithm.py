# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""load_balancer_algorithm against a load balancer that keeps what is set."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.modules import load_balancer_algorithm
from ansible_collections.nrs.network_routing.tests.unit.plugins.api_server import (
    Answer,
    ApiServer,
    Asked,
)
from ansible_collections.nrs.network_routing.tests.unit.plugins.conftest import Run

FILE: dict[str, Any] = {
    "weights": {"cpu": 0.3, "memory": 0.2},
    "max_connections": 100,
    "anti_flap_threshold": 0.05,
}


class LoadBalancer:
    """The two requests that the module uses."""

    def __init__(self, api: ApiServer) -> None:
        self.api = api
        self.set: dict[str, Any] = {}
        api.handle("GET", "/algorithm", self._get)
        api.handle("PUT", "/algorithm", self._put)

    @property
    def puts(self) -> list[Any]:
        """The bodies of all that was set."""
        return [asked.body for asked in self.api.asked if asked.method == "PUT"]

    def _get(self, asked: Asked) -> Answer:
        weights = {**FILE["weights"], **self.set.get("weights", {})}
        in_force = {**FILE, **self.set, "weights": weights}
        return Answer(body={"algorithm": in_force, "file": FILE, "set": self.set})

    def _put(self, asked: Asked) -> Answer:
        self.set = asked.body
        return self._get(asked)


@pytest.fixture
def balancer(api: ApiServer) -> LoadBalancer:
    """A load balancer that goes by its file."""
    return LoadBalancer(api)


def test_a_difference_is_set_once(run: Run, balancer: LoadBalancer) -> None:
    options = {"url": balancer.api.url, "anti_flap_threshold": 0.1, "weights": {"cpu": 1}}
    first = run(load_balancer_algorithm, **options)
    second = run(load_balancer_algorithm, **options)
    assert (first["changed"], second["changed"]) == (True, False)
    assert balancer.puts == [{"anti_flap_threshold": 0.1, "weights": {"cpu": 1.0}}]
    assert first["algorithm"] == second["algorithm"]
    assert first["algorithm"]["weights"] == {"cpu": 1.0, "memory": 0.2}
    assert first["algorithm"]["max_connections"] == 100
    assert first["set"] == second["set"] == balancer.set


def test_what_is_not_named_stays_as_it_was_set(run: Run, balancer: LoadBalancer) -> None:
    balancer.set = {"max_connections": 7, "weights": {"memory": 1.0}}
    run(load_balancer_algorithm, url=balancer.api.url, weights={"cpu": 1})
    assert balancer.set == {"max_connections": 7, "weights": {"memory": 1.0, "cpu": 1.0}}


def test_check_mode_predicts_and_sets_nothing(run: Run, balancer: LoadBalancer) -> None:
    options = {"url": balancer.api.url, "max_connections": 7}
    predicted = run(load_balancer_algorithm, check=True, **options)
    assert balancer.puts == []
    done = run(load_balancer_algorithm, **options)
    for key in ("changed", "algorithm", "set", "diff"):
        assert predicted[key] == done[key], key
    assert done["diff"]["before"]["max_connections"] == 100
    assert done["diff"]["after"]["max_connections"] == 7


def test_absent_takes_back_what_was_set(run: Run, balancer: LoadBalancer) -> None:
    balancer.set = {"max_connections": 7}
    first = run(load_balancer_algorithm, url=balancer.api.url, state="absent")
    second = run(load_balancer_algorithm, url=balancer.api.url, state="absent")
    assert (first["changed"], second["changed"]) == (True, False)
    assert balancer.puts == [{}]
    assert first["algorithm"] == FILE


def test_what_the_load_balancer_refuses(run: Run, balancer: LoadBalancer) -> None:
    refusal = {"error": "Input should be less than or equal to 1", "field": "anti_flap_threshold"}
    balancer.api.on("PUT", "/algorithm", Answer(400, refusal))
    result = run(load_balancer_algorithm, url=balancer.api.url, anti_flap_threshold=2)
    assert result["failed"]
    assert (result["status"], result["field"]) == (400, "anti_flap_threshold")


def test_a_load_balancer_of_an_older_release(run: Run, api: ApiServer) -> None:
    result = run(load_balancer_algorithm, url=api.url, max_connections=7)
    assert result["failed"]
    assert result["status"] == 404
