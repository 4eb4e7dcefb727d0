"""The controller's HTTP API over its registry and the devices' events."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from nrs.api import service
from nrs.api.messages import ConfigPush, ConfigRequest, DeviceStatus, Registration
from nrs.api.service import ApiError
from nrs.config.common import Api
from nrs.config.types import IPAddress
from nrs.controller import event_api, overlay, views
from nrs.controller.errors import RegistryError, UnknownDevice
from nrs.controller.events import Events
from nrs.controller.registry import Registry

log = logging.getLogger(__name__)
Answer = tuple[dict[str, Any], int]


def create_app(api: Api, registry: Registry, events: Events, clock: Callable[[], float]) -> Flask:
    """The API on `registry` and `events`; `clock` gives seconds since the epoch."""
    app = service.create_app("network_controller", api)
    event_api.add_routes(app, events, clock)

    @app.errorhandler(RegistryError)
    def _refused(error: RegistryError) -> Any:
        status = 404 if isinstance(error, UnknownDevice) else 409
        return app.handle_user_exception(ApiError(status, str(error), error.field))

    @app.errorhandler(SQLAlchemyError)
    def _storage(error: SQLAlchemyError) -> Any:
        log.error("the registry failed: %s", error)
        return app.handle_user_exception(
            ApiError(503, "the registry's storage failed; nothing was changed")
        )

    @app.get("/health")
    def health() -> dict[str, Any]:
        return {"status": "ok", "timestamp": clock()}

    @app.post("/register")
    def register() -> Answer:
        request = service.body(Registration)
        _usable("tun_ipv4", request.tun_ipv4)
        _usable("tun_ipv6", request.tun_ipv6)
        registered, new = registry.register(request)
        return registered.model_dump(mode="json"), 201 if new else 200

    @app.post("/status")
    def status() -> dict[str, Any]:
        report = service.body(DeviceStatus)
        registry.record_status(report)
        return {"device_id": report.device_id, "timestamp": clock()}

    @app.post("/config")
    def configuration() -> dict[str, Any]:
        request = service.body(ConfigRequest)
        version, content = registry.configuration(request.device_id)
        return {"device_id": request.device_id, "version": version, "config": content}

    @app.post("/push_config/<device_id>")
    def push_config(device_id: str) -> dict[str, Any]:
        request = service.body(ConfigPush)
        try:
            overlay.check(request.config)
        except overlay.OverlayRefused as error:
            raise ApiError(400, str(error), error.field) from None
        version, changed = registry.push(device_id, request.config)
        return {"device_id": device_id, "version": version, "changed": changed}

    @app.get("/device/<device_id>")
    def device(device_id: str) -> dict[str, Any]:
        return views.detail(registry.device(device_id), clock())

    @app.get("/devices")
    def devices() -> dict[str, Any]:
        now = clock()
        return {
            "timestamp": now,
            "devices": [views.summary(device, now) for device in registry.devices()],
        }

    @app.get("/topology")
    def topology() -> dict[str, Any]:
        return views.topology(registry.devices(), clock())

    return app


def _usable(field: str, address: IPAddress | None) -> None:
    """Raise ApiError unless `address` can be a tunnel address."""
    if address is None:
        return
    if getattr(address, "scope_id", None) is not None:
        raise ApiError(400, f"{address} has a zone, which a tunnel address cannot have", field)
    if (
        address.is_unspecified
        or address.is_loopback
        or address.is_multicast
        or address.is_link_local
        or address.is_reserved
    ):
        raise ApiError(400, f"{address} cannot be the address of a device", field)
