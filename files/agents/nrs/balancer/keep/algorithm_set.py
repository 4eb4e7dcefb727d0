"""The algorithm as set at runtime: keys of the file's `algorithm`, laid over what it says there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nrs.balancer.decide.algorithm import Algorithm
from nrs.config import kept
from nrs.config.loader import merge

FILE_NAME = "algorithm.json"


class AlgorithmDamaged(Exception):
    """What was set cannot be used; the text says which file and why."""


def over(file: Algorithm, what: dict[str, Any]) -> Algorithm:
    """`file` with the keys of `what` over it. Raises ValidationError."""
    return Algorithm.model_validate(merge(file.model_dump(), what))


def read(directory: Path | None) -> dict[str, Any]:
    """What was set last; nothing where nothing was. Raises AlgorithmDamaged."""
    if directory is None:
        return {}
    path = directory / FILE_NAME
    try:
        what = json.loads(path.read_bytes())
        Algorithm.model_validate(what)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, ValidationError) as error:
        raise AlgorithmDamaged(f"{path}: {str(error).splitlines()[0]}") from None
    return dict(what)


def write(directory: Path | None, what: dict[str, Any]) -> None:
    """Store `what` so that a crash leaves this or what was before. Raises OSError."""
    if directory is not None:
        kept.write(directory / FILE_NAME, json.dumps(what))
