# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""device_config against a controller that keeps what is pushed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.modules import device_config
from ansible_collections.nrs.network_routing.tests.unit.plugins.api_server import (
    Answer,
    ApiServer,
    Asked,
)
from ansible_collections.nrs.network_routing.tests.unit.plugins.conftest import Run


class Controller:
    """The requests of the controller that the module uses."""

    def __init__(self, api: ApiServer, config: dict[str, Any]) -> None:
        self.api = api
        self.config = config
        self.version = self.running = 1
        api.handle("GET", "/device/endpoint_1", self._device)
        api.handle("POST", "/config", self._config)
        api.handle("POST", "/push_config/endpoint_1", self._push)

    @property
    def pushes(self) -> list[Any]:
        """The bodies of all pushes."""
        return [asked.body for asked in self.api.asked if asked.path.startswith("/push_config/")]

    def _config(self, asked: Asked) -> Answer:
        if asked.body != {"device_id": "endpoint_1"}:
            return Answer(404, {"error": "unknown device", "field": "device_id"})
        return Answer(
            body={"device_id": "endpoint_1", "version": self.version, "config": self.config}
        )

    def _device(self, asked: Asked) -> Answer:
        return Answer(body={"device_id": "endpoint_1", "config_acknowledged": self.running})

    def _push(self, asked: Asked) -> Answer:
        self.config = asked.body["config"]
        self.version = max(self.version, self.running) + 1
        return Answer(body={"device_id": "endpoint_1", "version": self.version, "changed": True})


@pytest.fixture
def controller(api: ApiServer) -> Controller:
    """A controller with a configuration for endpoint_1."""
    return Controller(api, {"load_balancer": {"poll_interval": 10, "url": "http://[::1]:8080"}})


FASTER = {"load_balancer": {"poll_interval": 5}}


def test_a_difference_is_pushed_once(run: Run, controller: Controller) -> None:
    options = {"url": controller.api.url, "device_id": "endpoint_1", "config": FASTER}
    first = run(device_config, **options)
    second = run(device_config, **options)
    assert (first["changed"], first["version"]) == (True, 2)
    assert (second["changed"], second["version"]) == (False, 2)
    assert len(controller.pushes) == 1
    assert controller.config == {"load_balancer": {"poll_interval": 5, "url": "http://[::1]:8080"}}
    assert first["config"] == second["config"] == controller.config


def test_the_difference_is_shown(run: Run, controller: Controller) -> None:
    before = controller.config
    diff = run(device_config, url=controller.api.url, device_id="endpoint_1", config=FASTER)["diff"]
    assert diff == {"before": before, "after": controller.config}


def test_check_mode_predicts_and_pushes_nothing(run: Run, controller: Controller) -> None:
    result = run(
        device_config, check=True, url=controller.api.url, device_id="endpoint_1", config=FASTER
    )
    assert (result["changed"], result["version"]) == (True, 1)
    assert result["config"]["load_balancer"]["poll_interval"] == 5
    assert controller.pushes == []


def test_what_is_there_already_is_not_pushed(run: Run, controller: Controller) -> None:
    wanted = {"load_balancer": {"poll_interval": 10}}
    result = run(device_config, url=controller.api.url, device_id="endpoint_1", config=wanted)
    assert result["changed"] is False
    assert controller.pushes == []


def test_a_device_that_runs_a_version_of_another_registry_is_pushed_to(
    run: Run, controller: Controller
) -> None:
    controller.running = 7
    wanted = {"load_balancer": {"poll_interval": 10}}
    options = {"url": controller.api.url, "device_id": "endpoint_1", "config": wanted}
    predicted = run(device_config, check=True, **options)
    assert (predicted["changed"], controller.pushes) == (True, [])
    first = run(device_config, **options)
    second = run(device_config, **options)
    assert (first["changed"], first["version"]) == (True, 8)
    assert second["changed"] is False


def test_secrets_reach_the_controller_and_nothing_else(run: Run, controller: Controller) -> None:
    controller.config = {"tunnel": {"psk": "old-secret-key"}}
    wanted = {"tunnel": {"psk": "new-secret-key"}}
    result = run(device_config, url=controller.api.url, device_id="endpoint_1", config=wanted)
    assert result["changed"] is True
    assert controller.config == wanted
    assert "secret-key" not in str(result)


def test_an_unknown_device(run: Run, controller: Controller) -> None:
    result = run(device_config, url=controller.api.url, device_id="other", config=FASTER)
    assert result["failed"]
    assert (result["status"], result["field"]) == (404, "device_id")


def test_a_configuration_that_the_controller_refuses(run: Run, controller: Controller) -> None:
    refusal = {"error": "must be at least 1", "field": "config.load_balancer.poll_interval"}
    controller.api.on("POST", "/push_config/endpoint_1", Answer(400, refusal))
    result = run(device_config, url=controller.api.url, device_id="endpoint_1", config=FASTER)
    assert result["failed"]
    assert result["field"] == "config.load_balancer.poll_interval"
    assert "must be at least 1" in result["msg"]


def test_a_push_whose_answer_is_lost_is_not_repeated(run: Run, controller: Controller) -> None:
    controller.api.on("POST", "/push_config/endpoint_1", Answer(hang_up=True))
    result = run(device_config, url=controller.api.url, device_id="endpoint_1", config=FASTER)
    assert result["failed"]
    assert len(controller.pushes) == 1
