"""Keeps forwarding on and a table of nftables in place, whatever somebody else does, in a thread.

nftables tells of every change; settings are read once a second, which takes 100 us.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from nrs.config.tun_addresses import BOTH, Families
from nrs.system import forwarding, nftables
from nrs.system.nft_events import NftEvents
from nrs.system.nftables import NftablesError
from nrs.system.upkeep import Upkeep

log = logging.getLogger(__name__)

_INTERVAL_S = 1.0
_SETTLE_S = 0.1
"""A firewall that is loaded anew is let come to its end first, and asked about no more often."""
_END_TIMEOUT_S = 4.0
_TABLE = f"the table inet {nftables.TABLE}"


class Table(Protocol):
    """A table that is to be in place. Both raise NftablesError."""

    def is_in_place(self) -> bool:
        """Whether nobody has changed it."""

    def apply_again(self) -> None:
        """Make it anew."""


class HostKeeper:
    """Of the settings that forwarding between interfaces needs, and of a table, if there is one."""

    def __init__(
        self,
        table: Table | None,
        interfaces: tuple[str, ...],
        ask_root: Callable[[], None],
        turned_on: Callable[[Path], None],
        families: Families = BOTH,
    ) -> None:
        """`ask_root` has root turn forwarding on, where the agent may not.

        `turned_on` is told in the thread of settings that were off before anybody watched them, as
        those of an interface that comes later. Raises OSError.
        """
        self._table = table
        self._interfaces = interfaces
        self._families = families
        self._ask_root = ask_root
        self._turned_on = turned_on
        self._upkeep: Upkeep[str] = Upkeep()
        self._since: dict[str, float] = {}
        """When what is not in place was found to be so, by its name."""
        self._seen: set[str] = set()
        """What has been on, or in place, since it has been wanted."""
        self._asked: set[str] = set()
        """What root has been asked for."""
        self._told: set[str] = set()
        """What cannot be put back, as has been told."""
        self._events = None if table is None else NftEvents()
        self._in_place = False
        self._ending = False
        self._wake_reader, self._wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="host", daemon=True)

    def start(self) -> None:
        """Watch from now on; the table was applied just now."""
        if self._events is not None:
            self._events.changed()
        self._in_place = True
        self.check(time.monotonic())
        self._thread.start()

    def configure(self, interfaces: tuple[str, ...]) -> None:
        """Go by other interfaces."""
        self._interfaces = interfaces

    def stop(self) -> None:
        """Leave all as it is; may be called again."""
        self._ending = True
        if self._thread.is_alive():
            os.write(self._wake_writer, b"x")
            self._thread.join(_END_TIMEOUT_S)

    def close(self) -> None:
        """Let go of the descriptors, after `stop`."""
        self.stop()
        if self._events is not None:
            self._events.close()
        os.close(self._wake_reader)
        os.close(self._wake_writer)

    def upkeep(self) -> dict[str, int]:
        """How many things that somebody took were put back, and how many are not kept."""
        return {"put_back": self._upkeep.put_back, "not_kept": len(self.problems)}

    @property
    def problems(self) -> list[tuple[str, float]]:
        """What is not in place or not kept there, and since when (seconds since the epoch)."""
        found = [(f"{name} is not as it has to be", at) for name, at in list(self._since.items())]
        wall = time.time() - time.monotonic()
        for name, at in self._upkeep.problems.items():
            if name not in self._since:
                found.append((f"{name} cannot be kept: put back once a minute", wall + at))
        return found

    # -- in the thread

    def check(self, now: float) -> None:
        """Compare and mend."""
        settings = {
            forwarding.name_of(path): path
            for path in forwarding.settings(self._interfaces, self._families)
            if forwarding.is_on(path) is not None
        }
        off = forwarding.those_off(self._interfaces, self._families)
        present = {name for name, path in settings.items() if path not in off}
        if self._table_in_place():
            present.add(_TABLE)
        helped = self._asked & present
        self._asked -= helped
        self._told -= present
        self._upkeep.placed(helped, now)
        wanted = [*settings] if self._table is None else [*settings, _TABLE]
        self._seen = self._seen.intersection(wanted) | present
        missing = self._upkeep.missing(wanted, present, now)
        for name in missing.fresh:
            log.warning("somebody else has %s: put back", _done_to(name))
        for name in missing.stubborn:
            log.error(
                "somebody else has %s five times in a minute: put back once a minute from now on",
                _done_to(name),
            )
        back = {name for name in missing.due if self._put_back(name, settings.get(name), now)}
        wall = time.time()
        gone = [name for name in missing.gone if name not in back]
        self._since = {name: self._since.get(name, wall) for name in gone}
        for name in self._upkeep.settled(now):
            log.info("%s stays in its place again", name)

    def _put_back(self, name: str, setting: Path | None, now: float) -> bool:
        try:
            if setting is not None:
                forwarding.turn_on(setting)
                if name not in self._seen:
                    self._seen.add(name)
                    self._turned_on(setting)
            elif self._table is not None:
                self._table.apply_again()
                self._in_place = True
        except (OSError, NftablesError) as error:
            if setting is not None and self._ask(name):
                return False
            self._upkeep.refused([name], now)
            if name not in self._told:
                self._told.add(name)
                why = forwarding.advice(setting, error) if setting else error
                log.error("%s cannot be put in place: %s", name, why)
            return False
        self._upkeep.placed([name], now)
        self._told.discard(name)
        return True

    def _ask(self, name: str) -> bool:
        """Once, until it is done."""
        if name in self._asked:
            return False
        self._asked.add(name)
        self._ask_root()
        return True

    def _table_in_place(self) -> bool:
        """Asked for where there was a change, or it was not."""
        if self._table is None or self._events is None:
            return True
        if self._events.changed() or not self._in_place:
            try:
                self._in_place = self._table.is_in_place()
            except NftablesError as error:
                log.debug("%s", error)
        return self._in_place

    def _run(self) -> None:
        poller = select.poll()
        if self._events is not None:
            poller.register(self._events.fileno(), select.POLLIN)
        poller.register(self._wake_reader, select.POLLIN)
        while not self._ending:
            woken = {fd for fd, _ in poller.poll(_INTERVAL_S * 1000)}
            if self._events is not None and self._events.fileno() in woken:
                time.sleep(_SETTLE_S)
            if not self._ending:
                self.check(time.monotonic())


def _done_to(name: str) -> str:
    return f"removed or changed {name}" if name == _TABLE else f"turned {name} off"
