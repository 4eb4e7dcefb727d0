"""`/algorithm`: what decides, as the file says and as it was set beside it."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask
from pydantic import ValidationError

from nrs.api import service
from nrs.api.access import READERS
from nrs.api.operation import Operation, takes
from nrs.api.service import ApiError
from nrs.balancer.decide.algorithm import Algorithm
from nrs.balancer.http import answers
from nrs.balancer.live import LiveBalancer

log = logging.getLogger(__name__)

_READ = Operation(
    "The algorithm in force, the file's, and what was set",
    answers.AlgorithmInForce,
    access=READERS,
)
_SET = Operation(
    "Set keys of the algorithm beside the file, in place of those set before",
    answers.AlgorithmSet,
    body=Algorithm,
    refused={503: "it could not be stored; nothing was changed"},
)


def add_routes(app: Flask, balancer: LiveBalancer) -> None:
    """Answer `/algorithm` from `balancer`."""

    @app.get("/algorithm")
    @takes(_READ)
    def algorithm() -> dict[str, Any]:
        in_force = balancer.algorithm
        return {
            "algorithm": in_force.effective.model_dump(mode="json"),
            "file": in_force.file.model_dump(mode="json"),
            "set": in_force.set,
        }

    @app.put("/algorithm")
    @takes(_SET)
    def set_algorithm(body: Algorithm) -> dict[str, Any]:
        what = body.model_dump(mode="json", exclude_unset=True)
        try:
            changed = balancer.set_algorithm(what)
        except ValidationError as error:
            # Good by itself, but not over the file: all weights together may be zero.
            raise service.refusal(error) from None
        except OSError as error:
            log.error("the algorithm cannot be stored: %s", error)
            raise ApiError(503, "the algorithm could not be stored; nothing was changed") from None
        return {**algorithm(), "changed": changed}
