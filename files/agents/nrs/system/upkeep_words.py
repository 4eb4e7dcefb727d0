"""What is said of things that somebody else takes away."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Generic, TypeVar

from nrs.system.upkeep import Missing

Thing = TypeVar("Thing")

log = logging.getLogger(__name__)


class Words(Generic[Thing]):
    """Of things of the interface `name`, which `describe` names for people."""

    def __init__(self, name: str, describe: Callable[[Collection[Thing]], str]) -> None:
        self._name = name
        self._describe = describe

    def missing(self, missing: Missing[Thing]) -> None:
        """What was taken, and what is taken too often."""
        if missing.fresh:
            what = self._describe(missing.fresh)
            log.warning("%s of %s removed by somebody: put back", what, self._name)
        if missing.stubborn:
            log.error(
                "%s of %s removed by somebody five times in a minute: put back once a minute from"
                " now on (ip monitor shows what happens)",
                self._describe(missing.stubborn),
                self._name,
            )

    def settled(self, things: Collection[Thing]) -> None:
        """What is no problem any more."""
        for thing in things:
            log.info("%s of %s stays in its place again", self._describe([thing]), self._name)

    def problem(self, held: Mapping[Thing, float]) -> list[tuple[str, float]]:
        """What cannot be kept, and since when (seconds since the epoch), if anything.

        `held` has the times of time.monotonic.
        """
        if not held:
            return []
        what = f"{self._describe(held)} of {self._name} cannot be kept: tried once a minute"
        return [(what, time.time() - time.monotonic() + min(held.values()))]
