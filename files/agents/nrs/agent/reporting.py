"""The main loop of a companion process: periodic work beside the packet loop."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from nrs.agent.companion import Wake, wait
from nrs.api.messages import TunnelStatus
from nrs.config import pushed
from nrs.config.loader import ConfigError
from nrs.config.pushed import Pushed
from nrs.system import logs
from nrs.system.control import ControlError

log = logging.getLogger(__name__)
Config = TypeVar("Config", bound=BaseModel)


@dataclass(frozen=True)
class Task:
    """Work to be done every `interval` seconds, at once for the first time.

    Work that returns seconds is done again after these, and not after the interval. Where
    `hurried`, also at once whenever the agent asks for it (`Companion.hurry`).
    """

    interval: float
    work: Callable[[], float | None]
    hurried: bool = False


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


def load_config(path: Path, model: type[Config], unit: str) -> Config:
    """The configuration that the agent runs with. Ends the process with 2 if there is none."""
    try:
        try:
            return pushed.load_merged(path, model, pushed.read(pushed.state_directory(unit)))
        except ConfigError:
            return pushed.load_merged(path, model, Pushed())
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def log_beside(log_file: Path | None) -> None:
    """Log to a file beside the agent's: two processes cannot rotate one file."""
    logs.configure(
        None if log_file is None else log_file.with_name(f"{log_file.stem}.reporter.log")
    )


def tunnel_statuses(status: dict[str, Any]) -> list[TunnelStatus]:
    """The tunnels of an agent's status as the controller wants them."""
    return [
        TunnelStatus(
            peer_id=tunnel.get("router_id") or tunnel["endpoint_id"],
            up=tunnel["up"],
            active=tunnel["active"],
            rtt_ms=tunnel["rtt_ms"],
            since=tunnel["since"],
        )
        for tunnel in status["tunnels"]
    ]
