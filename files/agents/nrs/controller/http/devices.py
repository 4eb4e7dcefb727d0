"""Devices: they register and say how they fare, and are listed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

from flask import Flask
from pydantic import AfterValidator, model_validator
from typing_extensions import Self

from nrs.api.access import READERS, Access, Caller, devices
from nrs.api.messages import DeviceStatus, Registration
from nrs.api.operation import Operation, takes
from nrs.api.service import ApiError, caller
from nrs.config.types import Address4, Address6
from nrs.controller import views
from nrs.controller.addresses import usable
from nrs.controller.http import answers
from nrs.controller.http.refusals import CONFLICT, FAILING, UNKNOWN
from nrs.controller.registry import Registry
from nrs.identity.credential import Role


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
    access=devices("device_id"),
    refused=CONFLICT,
    created="the device is new",
)
_REPORT = Operation(
    "How a device fares",
    answers.StatusTaken,
    body=DeviceStatus,
    access=devices("device_id"),
    refused=UNKNOWN,
)
_ONE = Operation(
    "A device and its tunnels as it sees them",
    answers.DeviceDetail,
    access=Access(frozenset({Role.MONITOR, Role.ROUTER, Role.ENDPOINT}), "device_id"),
    refused=UNKNOWN,
)
_ALL = Operation("Every device, by id", answers.Devices, access=READERS, refused=FAILING)
_TYPES = {Role.ROUTER: "routing_server", Role.ENDPOINT: "network_access_endpoint"}


def add_routes(app: Flask, registry: Registry, clock: Callable[[], float]) -> None:
    """Answer `/register`, `/status`, `/device` and `/devices` from `registry`."""

    @app.post("/register")
    @takes(_REGISTER)
    def register(body: PossibleRegistration) -> tuple[dict[str, Any], int]:
        registered, new = registry.register(_vouched(body, caller()))
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


def _vouched(body: PossibleRegistration, by: Caller) -> PossibleRegistration:
    """The registration, with the addresses that the caller's token fixes.

    Raises ApiError 403 for a device of another kind, and for other addresses than those.
    """
    credential = by.credential
    if credential is None or by.role not in _TYPES:
        return body
    if body.device_type != _TYPES[by.role]:
        error = f"the token of {credential.id} is for a {_TYPES[by.role]}"
        raise ApiError(403, error, "device_type")
    fixed = {"tun_ipv4": credential.tun_ipv4, "tun_ipv6": credential.tun_ipv6}
    for key, address in fixed.items():
        stated = getattr(body, key)
        if address is not None and stated is not None and stated != address:
            raise ApiError(403, f"the token of {credential.id} is for {address}", key)
    return body.model_copy(update={key: found for key, found in fixed.items() if found})
