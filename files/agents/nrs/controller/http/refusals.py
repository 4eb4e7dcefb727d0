"""With which status the controller answers what it refuses or cannot do."""

from __future__ import annotations

import logging

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from nrs.api import service
from nrs.api.service import ApiError
from nrs.config.overlay import OverlayRefused
from nrs.controller.errors import RegistryError, UnknownDevice

_FAILED = "the registry's storage failed; nothing was changed"
FAILING = {503: _FAILED}
"""The `refused` of every operation that needs the storage."""
UNKNOWN = {404: "the device is not registered", **FAILING}
CONFLICT = {409: "an address belongs to another device, or none is left", **FAILING}

log = logging.getLogger(__name__)


def answer_in(app: Flask) -> None:
    """Have `app` answer the errors of the registry and of its storage."""
    service.answer_as(app, RegistryError, lambda error: ApiError(409, str(error), error.field))
    service.answer_as(app, UnknownDevice, lambda error: ApiError(404, str(error), error.field))
    service.answer_as(app, OverlayRefused, _not_pushed)
    service.answer_as(app, SQLAlchemyError, _failed)


def _not_pushed(error: OverlayRefused) -> ApiError:
    return ApiError(400, str(error), f"config.{error.field}")


def _failed(error: SQLAlchemyError) -> ApiError:
    log.error("the registry failed: %s", error)
    return ApiError(503, _FAILED)
