"""What a companion process does beside the packet loop: its work, and periodic tasks."""

from __future__ import annotations

import logging
import os
import select
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, Field

from nrs.api.messages import Registration
from nrs.config.common import NetworkControllerAccess
from nrs.config.types import LogLevel
from nrs.system import logs
from nrs.system.control import ControlError

log = logging.getLogger(__name__)

_CHUNK = 65_536


class Work(BaseModel):
    """What every companion is given by its agent."""

    log_file: Path | None
    log_level: LogLevel = "info"
    tokens: dict[str, str] = Field(repr=False)
    """What to state to a service, by URL."""
    ca_file: Path | None = None
    revocations_from: list[str] = Field(default_factory=list)
    """The services that are asked what is revoked, by URL."""
    revocations_file: Path | None = None
    controller: NetworkControllerAccess
    registration: Registration


Given = TypeVar("Given", bound=Work)


@dataclass(frozen=True)
class Task:
    """Work to be done every `interval` seconds, at once for the first time.

    Work that returns seconds is done again after these, and not after the interval. Where
    `hurried`, also at once whenever the agent asks for it (`Companion.hurry`).
    """

    interval: float
    work: Callable[[], float | None]
    hurried: bool = False


class Wake(Enum):
    """Why the companion goes on."""

    TIME = "the time is over"
    HURRIED = "the agent asks for what is urgent"
    ENDED = "the agent has ended"


def given(model: type[Given]) -> Given:
    """The work that the agent gives. Ends the process where the agent has ended before."""
    text = b""
    while b"\n" not in text:
        part = os.read(sys.stdin.fileno(), _CHUNK)
        if not part:
            sys.exit(0)
        text += part
    # What follows only hurries tasks that are all done at once at first.
    work = model.model_validate_json(text.partition(b"\n")[0])
    log_file = work.log_file
    if log_file is not None:
        # Two processes cannot rotate one file.
        log_file = log_file.with_name(f"{log_file.stem}.reporter.log")
    logs.configure(log_file, level=logs.LEVELS[work.log_level])
    return work


def wait(seconds: float) -> Wake:
    """Wait that long, or until the agent wants something."""
    readable, _, _ = select.select([sys.stdin], [], [], max(0.0, seconds))
    if not readable:
        return Wake.TIME
    return Wake.HURRIED if os.read(sys.stdin.fileno(), 4096) else Wake.ENDED


def repeat(tasks: Sequence[Task]) -> None:
    """Do the tasks, each in its interval, until the agent ends."""
    due = [time.monotonic()] * len(tasks)
    while (wake := wait(min(due) - time.monotonic())) is not Wake.ENDED:
        for index, task in enumerate(tasks):
            now = time.monotonic()
            if now >= due[index] or (task.hurried and wake is Wake.HURRIED):
                due[index] = now + task.interval
                try:
                    after = task.work()
                    if after is not None:
                        due[index] = now + after
                except ControlError as error:
                    log.warning("%s", error)
