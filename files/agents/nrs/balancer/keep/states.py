"""The operator's states of routing servers on disk, so that a restart keeps them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from nrs.balancer.decide.standing import State
from nrs.config import kept
from nrs.config.types import Name

FILE_NAME = "states.json"
_STATES: TypeAdapter[dict[Name, State]] = TypeAdapter(dict[Name, State])


class StatesDamaged(Exception):
    """The file does not hold states; the text says which file and why."""


def read(directory: Path | None) -> dict[str, State]:
    """What was stored last, by router; none where nothing was. Raises StatesDamaged."""
    if directory is None:
        return {}
    path = directory / FILE_NAME
    try:
        return _STATES.validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as error:
        raise StatesDamaged(f"{path}: {str(error).splitlines()[0]}") from None


def write(directory: Path | None, states: Mapping[str, State]) -> None:
    """Store `states` so that a crash leaves the old or the new ones. Raises OSError."""
    if directory is None:
        return
    text = json.dumps({router_id: state.value for router_id, state in states.items()})
    kept.write(directory / FILE_NAME, text)
