"""Devices: they register and say how they fare, and are listed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

from flask import Flask
from pydantic import AfterValidator, model_validator
from typing_extensions import Self

from nrs.api.messages import DeviceStatus, Registration
from nrs.api.operation import Operation, takes
from nrs.config.types import Address4, Address6
from nrs.controller import views
from nrs.controller.addresses import usable
from nrs.controller.http import answers
from nrs.controller.http.refusals import CONFLICT, FAILING, UNKNOWN
from nrs.controller.registry import Registry


class PossibleRegistration(Registration):
    """A registration whose addresses a device can have."""

    tun_ipv4: Annotated[Address4, AfterValidator(usable)] | None = None
    tun_ipv6: Annotated[Address6, AfterValidator(usable)] | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        stated = (self.tun_ipv4, self.tun_ipv6)
        if all(address is not None and address.is_unspecified for address in stated):
            raise ValueError("tun_ipv4 and tun_ipv6 are both unspecified: one is needed")
        return self


_REGISTER = Operation(
    "A device introduces itself; repeating it changes nothing",
    answers.Registered,
    body=PossibleRegistration,
    refused=CONFLICT,
    created="the device is new",
)
_REPORT = Operation("How a device fares", answers.StatusTaken, body=DeviceStatus, refused=UNKNOWN)
_ONE = Operation("A device and its tunnels as it sees them", answers.DeviceDetail, refused=UNKNOWN)
_ALL = Operation("Every device, by id", answers.Devices, refused=FAILING)


def add_routes(app: Flask, registry: Registry, clock: Callable[[], float]) -> None:
    """Answer `/register`, `/status`, `/device` and `/devices` from `registry`."""

    @app.post("/register")
    @takes(_REGISTER)
    def register(body: PossibleRegistration) -> tuple[dict[str, Any], int]:
        registered, new = registry.register(body)
        return asdict(registered), 201 if new else 200

    @app.post("/status")
    @takes(_REPORT)
    def status(body: DeviceStatus) -> dict[str, Any]:
        registry.record_status(body)
        return {"device_id": body.device_id, "timestamp": clock()}

    @app.get("/device/<device_id>")
    @takes(_ONE)
    def device(device_id: str) -> dict[str, Any]:
        return views.detail(registry.device(device_id), clock())

    @app.get("/devices")
    @takes(_ALL)
    def devices() -> dict[str, Any]:
        now = clock()
        return {
            "timestamp": now,
            "devices": [views.summary(device, now) for device in registry.devices()],
        }
