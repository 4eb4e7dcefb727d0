# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""network_device against a controller that keeps who was removed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.modules import network_device
from ansible_collections.nrs.network_routing.tests.unit.plugins.api_server import (
    Answer,
    ApiServer,
    Asked,
)
from ansible_collections.nrs.network_routing.tests.unit.plugins.conftest import Run

REMOVAL = {"device_id": "e 1", "removed_at": 1.5, "owed": "revoke its tokens"}
PATH = "/device/e%201"


class Controller:
    """What the module asks of it, about one device."""

    def __init__(self, api: ApiServer, status: int) -> None:
        self.api, self.status = api, status
        api.handle("GET", PATH, lambda asked: Answer(self.status, {"error": "no"}))
        api.on("GET", "/removed_devices", Answer(body={"devices": [{"device_id": "x"}, REMOVAL]}))
        api.handle("DELETE", PATH, self._delete)
        api.handle("POST", PATH + "/readmit", self._readmit)

    @property
    def changes(self) -> list[str]:
        """The methods of all that was asked but to be told."""
        return [asked.method for asked in self.api.asked if asked.method != "GET"]

    def ask(self, run: Run, **options: Any) -> dict[str, Any]:
        """What the module says."""
        return run(network_device, url=self.api.url, device_id="e 1", **options)

    def _delete(self, asked: Asked) -> Answer:
        changed, self.status = self.status != 410, 410
        return Answer(body={**REMOVAL, "changed": changed})

    def _readmit(self, asked: Asked) -> Answer:
        self.status = 404
        return Answer(body={"device_id": "e 1", "changed": True})


@pytest.mark.parametrize(("status", "before"), [(200, "registered"), (404, "unknown")])
def test_a_device_is_removed_once(run: Run, api: ApiServer, status: int, before: str) -> None:
    controller = Controller(api, status)
    predicted = controller.ask(run, state="absent", check=True)
    assert controller.changes == []
    first, second = (controller.ask(run, state="absent") for _number in range(2))
    assert predicted["changed"] is first["changed"] is True
    assert second["changed"] is False
    assert predicted["diff"] == first["diff"]
    assert first["diff"]["before"]["status"] == before
    assert first["status"] == second["status"] == "removed"
    assert first["removal"] == second["removal"] == REMOVAL
    told = controller.ask(run, state="absent", check=True)
    assert (told["changed"], told["removal"]) == (False, REMOVAL)


def test_a_removed_device_is_let_in_again_once(run: Run, api: ApiServer) -> None:
    controller = Controller(api, 410)
    predicted = controller.ask(run, check=True)
    assert controller.changes == []
    first, second = controller.ask(run), controller.ask(run)
    assert predicted["changed"] is first["changed"] is True
    assert predicted["status"] == first["status"] == second["status"] == "unknown"
    assert second["changed"] is False
    assert controller.changes == ["POST"]


def test_one_that_is_registered_is_left_alone(run: Run, api: ApiServer) -> None:
    controller = Controller(api, 200)
    said = controller.ask(run)
    assert (said["changed"], said["status"]) == (False, "registered")
    assert controller.changes == []


@pytest.mark.parametrize("state", ["present", "absent"])
def test_what_the_controller_refuses_is_said(run: Run, api: ApiServer, state: str) -> None:
    controller = Controller(api, 403)
    said = controller.ask(run, state=state)
    assert said["failed"]
    assert said["status"] == 403
    assert controller.changes == []
