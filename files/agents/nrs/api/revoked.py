"""The list of revocations: taken from the operator, and told to siblings and devices."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Annotated, Any

from flask import Flask
from pydantic import BaseModel, ConfigDict, Field

from nrs.api import service
from nrs.api.access import Access
from nrs.api.answers import Answer
from nrs.api.incoming import LARGEST_OF_PROVED
from nrs.api.operation import Operation, takes
from nrs.api.queries import Query, whole
from nrs.api.service import ApiError
from nrs.identity.credential import Role
from nrs.identity.revocation_file import RevocationFile
from nrs.identity.revocations import LARGEST, RevocationsRefused

PATH = "/revocations"
MOST_ASKED = 999_999_999
"""As high a number as a query can state; a list of a higher one is always told."""
_NONE_KEPT = "this service takes no list: it has no api.signers_file or no state directory"

log = logging.getLogger(__name__)


class SignedList(BaseModel):
    """The body of `PUT /revocations`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    revocations: str = Field(strict=True, max_length=LARGEST)


class After(Query):
    """Which list the caller has already: only a later one is told."""

    after: Annotated[int, Field(ge=0, le=MOST_ASKED), whole(0, MOST_ASKED)] = 0


class InForce(Answer):
    """The list that the service goes by; `revocations` is its signed text, None before any."""

    number: int
    revocations: str | None
    besides: list[str]
    """Devices whose tunnels the service has refused by itself; see `revoked_tunnels`."""


_READ = Operation(
    "The list of revocations that is in force",
    InForce,
    query=After,
    access=Access(frozenset({Role.MONITOR, Role.SERVICE, Role.ROUTER, Role.ENDPOINT})),
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


def add_routes(app: Flask, besides: Callable[[], list[str]] = list) -> None:
    """Answer `/revocations`; `besides` names the devices that the service refuses by itself."""

    @app.get(PATH)
    @takes(_READ)
    def in_force(query: After) -> dict[str, Any]:
        kept = _kept()
        told = _told(kept)
        return told if kept.in_force.number > query.after else {**told, "revocations": None}

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

    def _told(kept: RevocationFile) -> dict[str, Any]:
        number, text = kept.in_force.number, kept.text
        return {"number": number, "revocations": text, "besides": besides()}

    def _kept() -> RevocationFile:
        found = service.trust_in(app).revocations
        if found is None:
            raise ApiError(404, _NONE_KEPT)
        return found
