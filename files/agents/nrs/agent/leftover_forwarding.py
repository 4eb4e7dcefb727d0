"""Forwarding that an agent has turned on before it was killed."""

from __future__ import annotations

from pathlib import Path

from nrs.agent.notes import FORWARDING, Notes
from nrs.system import forwarding
from nrs.system.control import socket_path


def turn_off(unit: str) -> list[str]:
    """Turn off what the notes of `unit` say that it has turned on; a line where there was any."""
    notes = Notes(socket_path(unit).parent)
    changed = [Path(path) for path in notes.get(FORWARDING) or []]
    if changed:
        forwarding.restore(changed)
    notes.clear()
    return ["forwarding turned off again"] if changed else []
