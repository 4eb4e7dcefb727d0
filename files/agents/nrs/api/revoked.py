"""The list of revocations: taken from the operator, and told to the service's siblings."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask
from pydantic import BaseModel, ConfigDict, Field

from nrs.api import service
from nrs.api.access import Access
from nrs.api.answers import Answer
from nrs.api.incoming import LARGEST_OF_PROVED
from nrs.api.operation import Operation, takes
from nrs.api.service import ApiError
from nrs.identity.credential import Role
from nrs.identity.revocation_file import RevocationFile
from nrs.identity.revocations import LARGEST, RevocationsRefused

PATH = "/revocations"
_NONE_KEPT = "this service takes no list: it has no api.signers_file or no state directory"

log = logging.getLogger(__name__)


class SignedList(BaseModel):
    """The body of `PUT /revocations`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    revocations: str = Field(strict=True, max_length=LARGEST)


class InForce(Answer):
    """The list that the service goes by; `revocations` is its signed text, None before any."""

    number: int
    revocations: str | None


_READ = Operation(
    "The list of revocations that is in force",
    InForce,
    access=Access(frozenset({Role.MONITOR, Role.SERVICE})),
    refused={404: _NONE_KEPT},
)
_TAKE = Operation(
    "A newer list of revocations, signed by the deployment",
    InForce,
    body=SignedList,
    largest_body=LARGEST_OF_PROVED,
    refused={
        404: _NONE_KEPT,
        409: "the list is older than the one in force",
        503: "it is in force and could not be stored",
    },
)


def add_routes(app: Flask) -> None:
    """Answer `/revocations`."""

    @app.get(PATH)
    @takes(_READ)
    def in_force() -> dict[str, Any]:
        return _told(_kept())

    @app.put(PATH)
    @takes(_TAKE)
    def take(body: SignedList) -> dict[str, Any]:
        kept = _kept()
        try:
            if kept.take(body.revocations.strip()):
                log.info("list number %d of revocations is in force", kept.in_force.number)
        except RevocationsRefused as error:
            raise ApiError(409, str(error), "revocations") from None
        except OSError as error:
            log.error("the list of revocations is in force and cannot be stored: %s", error)
            raise ApiError(503, "it is in force and could not be stored") from None
        return _told(kept)

    def _kept() -> RevocationFile:
        found = service.trust_in(app).revocations
        if found is None:
            raise ApiError(404, _NONE_KEPT)
        return found


def _told(kept: RevocationFile) -> dict[str, Any]:
    return {"number": kept.in_force.number, "revocations": kept.text}
