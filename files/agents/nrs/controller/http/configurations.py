"""What devices are to run beside their own file: pushed by operators, fetched by devices."""

from __future__ import annotations

from typing import Any

from flask import Flask

from nrs.api.access import devices
from nrs.api.messages import ConfigPush, ConfigRequest
from nrs.api.operation import Operation, takes
from nrs.config import overlay
from nrs.controller.http import answers
from nrs.controller.http.refusals import UNKNOWN
from nrs.controller.registry import Registry

_FETCH = Operation(
    "What a device should run",
    answers.Configuration,
    body=ConfigRequest,
    access=devices("device_id"),
    refused=UNKNOWN,
)
_PUSH = Operation(
    "Keys for a device's file, in place of those pushed before",
    answers.PushTaken,
    body=ConfigPush,
    refused=UNKNOWN,
)


def add_routes(app: Flask, registry: Registry) -> None:
    """Answer `/config` and `/push_config` from `registry`."""

    @app.post("/config")
    @takes(_FETCH)
    def configuration(body: ConfigRequest) -> dict[str, Any]:
        version, content = registry.configuration(body.device_id)
        return {"device_id": body.device_id, "version": version, "config": content}

    @app.post("/push_config/<device_id>")
    @takes(_PUSH)
    def push_config(device_id: str, body: ConfigPush) -> dict[str, Any]:
        overlay.check(body.config, registry.device(device_id).device_type)
        version, changed = registry.push(device_id, body.config)
        return {"device_id": device_id, "version": version, "changed": changed}
