"""The configuration that an agent runs with: its file, and over it what was pushed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from nrs.agent.run import Config, Start
from nrs.agent.standing import TAKES_A_RESTART
from nrs.config import pushed
from nrs.config.apart import read_apart
from nrs.config.held import Held, NotingReader
from nrs.config.loader import ConfigError, Lay, Pushed, load_pushed

log = logging.getLogger(__name__)


class Refused(Exception):
    """What stands against a configuration; the one in force stays."""


@dataclass(frozen=True)
class Candidate(Generic[Config]):
    """A configuration that was read, or what is wrong with it."""

    version: Pushed
    config: Config | None
    error: str | None
    held: Held
    """What the files held that it is from."""


class InForce(Generic[Config]):
    """`config`, and what became of the last attempt to run with another."""

    def __init__(
        self,
        start: Start[Config],
        unit: str,
        fixed: Callable[[Config], Mapping[str, object]],
        take_over: Callable[[Config], None],
        lay: Lay[Config],
    ) -> None:
        """`fixed` has the values, by key path, that a running agent cannot change.

        `take_over` runs with another configuration, or raises Refused. `lay` is `Agent.lay`.
        """
        self.config = start.config
        self.pushed = start.pushed
        self.held = start.held
        self.error: str | None = None
        """Why the last version that was pushed is not in force."""
        self._path: Path = start.path
        self._directory = pushed.state_directory(unit)
        self._fixed = fixed
        self._take_over = take_over
        self._lay = lay

    def read(self, version: Pushed | None = None) -> Candidate[Config]:
        """The file as it is now, with `version` over it or what is in force. In any thread.

        What is in force is left out where the file does not allow it any more.
        """
        try:
            return self._read(self.pushed if version is None else version)
        except ConfigError as error:
            if version is None and self.pushed.version:
                with suppress(ConfigError):
                    candidate = self._read(Pushed())
                    log.error("the pushed configuration is left out: %s", error)
                    return candidate
            return Candidate(version or self.pushed, None, str(error), {})

    def _read(self, version: Pushed) -> Candidate[Config]:
        model = type(self.config)
        read = NotingReader(read_apart)
        config = load_pushed(self._path, model, version, self._lay, read=read)
        return Candidate(version, config, None, read.held)

    def reload(self, candidate: Candidate[Config]) -> str | None:
        """Run with it; what stands against it, else None."""
        error = self._try(candidate)
        if error is None:
            self.pushed = candidate.version
        return error

    def push(self, candidate: Candidate[Config]) -> str | None:
        """Run with it, and keep its version; what stands against it, else None."""
        version = candidate.version
        self.error = self._try(candidate)
        if self.error is None:
            try:
                pushed.write(self._directory, version)
            except OSError as error:
                log.error(
                    "pushed configuration %d is in force, but a restart will not know it: %s",
                    version.version,
                    error.strerror,
                )
            self.pushed = version
            log.info("pushed configuration %d is in force", version.version)
        else:
            log.error(
                "pushed configuration %d is refused, version %d stays in force: %s",
                version.version,
                self.pushed.version,
                self.error,
            )
        return self.error

    def _try(self, candidate: Candidate[Config]) -> str | None:
        config = candidate.config
        if config is None:
            return candidate.error
        before, after = self._fixed(self.config), self._fixed(config)
        changed = [key for key, value in after.items() if before[key] != value]
        if changed:
            return f"{', '.join(changed)} {TAKES_A_RESTART}"
        try:
            self._take_over(config)
        except Refused as refusal:
            return str(refusal)
        self.config = config
        self.held = candidate.held
        return None
