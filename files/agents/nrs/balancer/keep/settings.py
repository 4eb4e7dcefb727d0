"""What operators set at runtime, beside the file, on disk, so that a restart keeps it.

states.json       routing server -> state, where that is not active
algorithm.json    keys of the file's `algorithm`, laid over what it says there
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from nrs.balancer.decide.algorithm import Algorithm
from nrs.balancer.decide.standing import State
from nrs.config.overlay import merge
from nrs.config.types import Name
from nrs.identity import whole_file

log = logging.getLogger(__name__)

STATES, ALGORITHM = "states.json", "algorithm.json"
_STATES: TypeAdapter[dict[Name, State]] = TypeAdapter(dict[Name, State])
Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class InForce:
    """The algorithm in force, the file's, and what was set over it."""

    effective: Algorithm
    file: Algorithm
    set: dict[str, Any]


def over(file: Algorithm, what: dict[str, Any]) -> InForce:
    """`file` with the keys of `what` over it. Raises ValidationError."""
    return InForce(Algorithm.model_validate(merge(file.model_dump(), what)), file, what)


def fitting(file: Algorithm, what: dict[str, Any]) -> InForce:
    """The same, or `file` alone where `what` does not fit it any more, which is logged."""
    try:
        return over(file, what)
    except ValidationError as error:
        log.error(
            "what was set of the algorithm does not fit the file's and is left out: %s", error
        )
        return InForce(file, file, what)


class Settings:
    """The files in `directory`, None for none. What is damaged is logged and counts as not set."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def states(self) -> dict[str, State]:
        """What was stored last, by router."""
        lost = "the states that were set for routing servers are lost"
        return self._read(STATES, _STATES.validate_json, lost) or {}

    def keep_states(self, states: Mapping[str, State]) -> None:
        """Store `states` so that a crash leaves the old or the new ones. Raises OSError."""
        self._write(STATES, {router_id: state.value for router_id, state in states.items()})

    def algorithm(self) -> dict[str, Any]:
        """The keys that were set last."""
        lost = "what was set of the algorithm is lost"
        return self._read(ALGORITHM, _keys, lost) or {}

    def keep_algorithm(self, what: Mapping[str, Any]) -> None:
        """Store `what` so that a crash leaves this or what was before. Raises OSError."""
        self._write(ALGORITHM, what)

    def _read(self, name: str, parse: Callable[[bytes], Parsed], lost: str) -> Parsed | None:
        if self._directory is None:
            return None
        path = self._directory / name
        try:
            return parse(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.error("%s: %s: %s", lost, path, str(error).splitlines()[0])
            return None

    def _write(self, name: str, what: Mapping[str, Any]) -> None:
        if self._directory is not None:
            whole_file.replace(self._directory / name, json.dumps(what))


def _keys(text: bytes) -> dict[str, Any]:
    what = json.loads(text)
    Algorithm.model_validate(what)
    return dict(what)
