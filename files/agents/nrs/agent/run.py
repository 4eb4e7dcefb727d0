"""One way in for every agent: its configuration, its log, the agent itself, and the end.

run_agent(path, RoutingServer)  ->  load  ->  RoutingServer(Start)  ->  serve  ->  cleanup
"""

from __future__ import annotations

import logging
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel

from nrs.agent.standing import release
from nrs.config import overlay, pushed
from nrs.config.held import Held, NotingReader
from nrs.config.loader import ConfigError, Pushed, load, load_pushed
from nrs.system import logs

log = logging.getLogger(__name__)
Config = TypeVar("Config", bound=BaseModel)

CANNOT_START = 1
"""The host does not allow something yet, such as an address in use: systemd tries again."""
WRONG_CONFIGURATION = 2
"""systemd does not try again."""
_TRY_AGAIN_S = 0.5


@dataclass(frozen=True)
class Start(Generic[Config]):
    """What an agent is made of; everything that it sets up, it pushes onto `cleanup` at once."""

    path: Path
    config: Config
    pushed: Pushed
    """What of `config` the controller has pushed."""
    held: Held
    """What the files held that `config` is from."""
    release: str
    """What runs, which may be replaced on the disk while it does."""
    cleanup: ExitStack


class Agent(ABC, Generic[Config]):
    """One of the system's services. Made, it is ready to serve; making it raises REFUSALS."""

    UNIT: ClassVar[str]
    SECTION: ClassVar[str]
    """The section of its file that says who it is and where it logs."""
    REFUSALS: ClassVar[tuple[type[Exception], ...]] = (OSError,)
    """What may be raised where the host does not allow something."""

    @abstractmethod
    def __init__(self, start: Start[Config]) -> None:
        """Raises ConfigError, REFUSALS."""

    @staticmethod
    @abstractmethod
    def model() -> type[Config]:
        """Of its configuration file."""

    @classmethod
    def lay(cls, config: Config, data: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
        """`data`, the content of the file `config`, with what was pushed over it.

        Raises OverlayRefused.
        """
        overlay.check(over, cls.UNIT)
        return overlay.merge(data, over)

    @abstractmethod
    def serve(self) -> int:
        """Until SIGTERM or SIGINT; the exit status."""


def run_agent(path: Path, agent: type[Agent[Config]]) -> int:
    """Run an agent in the foreground with the file at `path`; the exit status."""
    with ExitStack() as cleanup:
        try:
            config, stored, held = _load(path, agent)
            open_log(path, config, agent.SECTION)
        except ConfigError as error:
            print(error, file=sys.stderr)
            return WRONG_CONFIGURATION
        try:
            start = Start(path, config, stored, held, release(), cleanup)
            status = agent(start).serve()
        except ConfigError as error:
            log.error("%s", error)
            return WRONG_CONFIGURATION
        except agent.REFUSALS as error:
            log.error("cannot start: %s", error)
            # systemd starts it again at once, which is meant for crashes.
            time.sleep(_TRY_AGAIN_S)
            return CANNOT_START
    log.info("stopped")
    return status


def open_log(path: Path, config: BaseModel, section: str) -> None:
    """Log to standard error and where `config` wants it. Raises ConfigError."""
    named = getattr(config, section)
    log_file: Path | None = named.log_file
    try:
        logs.configure(log_file, level=logs.LEVELS[named.log_level])
    except OSError as error:
        raise ConfigError(f"{path}: {section}.log_file: {log_file}: {error.strerror}") from None


def _load(path: Path, agent: type[Agent[Config]]) -> tuple[Config, Pushed, Held]:
    """The configuration to start with: a pushed one that is no good is left out."""
    model, read = agent.model(), NotingReader()
    plain = load(path, model, read=read)
    held = read.held
    if agent.UNIT not in overlay.PUSHABLE:
        return plain, Pushed(), held
    try:
        stored = pushed.read(pushed.state_directory(agent.UNIT))
        config = load_pushed(path, model, stored, agent.lay, read=read)
    except ConfigError as error:
        print(f"the pushed configuration is left out: {error}", file=sys.stderr)
        return plain, Pushed(), held
    return config, stored, read.held
