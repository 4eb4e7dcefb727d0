"""With which status the controller answers what it refuses or cannot do."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from nrs.api import service
from nrs.api.service import ApiError
from nrs.config.overlay import OverlayRefused
from nrs.controller.database import reason
from nrs.controller.errors import DeviceRemoved, RegistryError, UnknownDevice

_FAILED = "the registry's storage failed; nothing was changed"
FAILING = {503: _FAILED}
"""The `refused` of every operation that needs the storage."""
_REMOVED = {410: "an operator has removed the device", **FAILING}
UNKNOWN = {404: "the device is not registered", **_REMOVED}
CONFLICT = {
    409: "an address belongs to another device, or did of late, or none is left",
    **_REMOVED,
}

log = logging.getLogger(__name__)


_SILENT_S = 60.0
"""Devices ask again and again: what has been told is not told again within so long."""


def answer_in(app: Flask, clock: Callable[[], float] = time.monotonic) -> None:
    """Have `app` answer the errors of the registry and of its storage."""
    service.answer_as(app, RegistryError, lambda error: ApiError(409, str(error), error.field))
    service.answer_as(app, UnknownDevice, lambda error: ApiError(404, str(error), error.field))
    service.answer_as(app, DeviceRemoved, lambda error: ApiError(410, str(error), error.field))
    service.answer_as(app, OverlayRefused, _not_pushed)
    told: dict[str, float] = {}

    def failed(error: SQLAlchemyError) -> ApiError:
        why, now = reason(error), clock()
        if now - told.get(why, -_SILENT_S) >= _SILENT_S:
            told[why] = now
            log.error("the registry failed: %s", why)
        return ApiError(503, _FAILED)

    service.answer_as(app, SQLAlchemyError, failed)


def _not_pushed(error: OverlayRefused) -> ApiError:
    return ApiError(400, str(error), f"config.{error.field}")
