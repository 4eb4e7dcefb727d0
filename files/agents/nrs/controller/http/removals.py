"""Devices that the operator removes, and lets in again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask

from nrs.api import service
from nrs.api.access import READERS
from nrs.api.operation import Operation, takes
from nrs.controller.http import answers
from nrs.controller.http.refusals import FAILING
from nrs.controller.registry import Registry
from nrs.controller.removals import Removal

_REMOVE = Operation(
    "Have a device stay out, known or not; repeating it changes nothing",
    answers.Removed,
    refused=FAILING,
)
_READMIT = Operation(
    "Let a removed device register again; repeating it changes nothing",
    answers.Readmitted,
    refused={404: "the device is neither registered nor removed", **FAILING},
)
_ALL = Operation(
    "Every removed device, by id", answers.RemovedDevices, access=READERS, refused=FAILING
)


def add_routes(app: Flask, registry: Registry, clock: Callable[[], float]) -> None:
    """Answer `DELETE /device`, `/device/.../readmit` and `/removed_devices` from `registry`."""

    @app.delete("/device/<device_id>")
    @takes(_REMOVE)
    def remove_device(device_id: str) -> dict[str, Any]:
        removal, changed = registry.remove(device_id)
        return {**_told(removal), "changed": changed}

    @app.post("/device/<device_id>/readmit")
    @takes(_READMIT)
    def readmit_device(device_id: str) -> dict[str, Any]:
        return {"device_id": device_id, "changed": registry.readmit(device_id)}

    @app.get("/removed_devices")
    @takes(_ALL)
    def removed_devices() -> dict[str, Any]:
        return {"timestamp": clock(), "devices": [_told(one) for one in registry.removed()]}

    def _told(removal: Removal) -> dict[str, Any]:
        revocations = service.trust_in(app).revocations
        before = revocations.in_force.issued_before if revocations is not None else {}
        return {
            "device_id": removal.device_id,
            "removed_at": removal.at,
            "tun_ipv4": removal.tun_ipv4,
            "tun_ipv6": removal.tun_ipv6,
            "addresses_free_at": removal.free_at,
            "owed": None
            if removal.revoked(before.get(removal.device_id, 0.0))
            else "its tokens are good until the control node revokes them:"
            f" nrs token revoke --id {removal.device_id} --issued-before now --service URL",
        }
