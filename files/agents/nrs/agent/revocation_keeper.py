"""What is revoked, as an agent with tunnels knows it, over restarts too.

A signed list, and beside it the devices that a service refuses by itself: these stay refused until
the next signed list. Nothing here stops traffic but that of who is revoked: without a list, or with
an old or damaged one, the agent goes on by what it has.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from nrs.config import text_file
from nrs.config.api import Api
from nrs.config.types import as_name
from nrs.identity import whole_file
from nrs.identity.revocation_file import RevocationFile
from nrs.identity.revocations import OlderList, RevocationsRefused
from nrs.identity.revoked_tunnels import RevokedTunnels

_FILE = "revocations"
_BESIDES = "revoked_besides"
MOST_BESIDES = 10_000
"""Devices that are refused beside the list; a service that was taken over names more."""

log = logging.getLogger(__name__)


class RevocationKeeper:
    """The list in a state directory, or in memory alone. Safe for threads."""

    def __init__(self, directory: Path | None, wall: Callable[[], float] = time.time) -> None:
        self._directory, self._wall = directory, wall
        self._lock = threading.Lock()
        self._file: RevocationFile | None = None
        self._confirmed: float | None = None
        self._go_by: Callable[[RevokedTunnels], object] = lambda revoked: None
        self.in_force = RevokedTunnels()

    def follow(self, go_by: Callable[[RevokedTunnels], object]) -> None:
        """Call `go_by` with each change from now on, in any thread."""
        self._go_by = go_by

    def configure(self, api: Api) -> None:
        """Believe the keys of the configuration, and take the list in its file; raises nothing."""
        with self._lock:
            if self._file is not None:
                self._file.believe(api.signers)
            elif api.signers:
                self._open(api.signers)
        try:
            put_there = api.revocations_file and text_file.find(api.revocations_file)
            if put_there:
                self.hear(put_there.strip())
        except OlderList:
            pass
        except (ValueError, RevocationsRefused) as error:
            log.warning("%s is not taken: %s", api.revocations_file, error)

    def hear(self, text: str | None, number: object = None, besides: object = None) -> None:
        """A list, or the number of the one that a service has, and whom that refuses besides.

        Raises RevocationsRefused.
        """
        with self._lock:
            if self._file is None:
                raise RevocationsRefused("no api.signers_file says whose lists are taken")
            newer = text is not None and self._take(self._file, text)
            with suppress(OSError):
                self._file.store()
            present = self._file.in_force
            if text is not None or number == present.number:
                self._confirmed = self._wall()
            before = RevokedTunnels() if newer else self.in_force
            more = _names(besides) - before.besides if isinstance(besides, list) else frozenset()
            if len(before.besides) + len(more) > MOST_BESIDES:
                raise RevocationsRefused(f"more than {MOST_BESIDES} devices are refused besides")
            if not newer and not more:
                return
            self.in_force = present.tunnels.with_besides(before.besides | more)
            self._store_besides(present.number)
            self._go_by(self.in_force)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The control command `revocations`: the list in force, and what is wrong with another."""
        try:
            self.hear(request.get("text"), request.get("number"), request.get("besides"))
        except OlderList:
            pass  # who tells it has yet to ask others
        except RevocationsRefused as error:
            return {"number": self._number or 0, "error": str(error)}
        return {"number": self._number or 0, "error": None}

    def status(self) -> dict[str, Any]:
        """The number of the list, and for how long nobody has said that it is the latest."""
        confirmed = self._confirmed
        age = None if confirmed is None else round(max(0.0, self._wall() - confirmed), 1)
        return {"revocations": self._number, "revocations_age_s": age}

    @property
    def _number(self) -> int | None:
        return None if self._file is None else self._file.in_force.number

    def _take(self, file: RevocationFile, text: str) -> bool:
        before = file.in_force.number
        try:
            file.take(text)
        except OSError as error:
            log.error("the list of revocations is in force and cannot be stored: %s", error)
        newer = file.in_force.number > before
        if newer:
            log.info("list number %d of revocations is in force", file.in_force.number)
        return newer

    def _open(self, signers: Sequence[Ed25519PublicKey]) -> None:
        path = None if self._directory is None else self._directory / _FILE
        try:
            self._file = RevocationFile(path, signers)
        except RevocationsRefused as error:
            log.error("%s; it is put aside, and others are asked", error)
            with suppress(OSError):
                if path is not None:
                    path.replace(path.with_name(f"{_FILE}.damaged"))
            self._file = RevocationFile(None if path and path.exists() else path, signers)
        if path is not None:
            with suppress(OSError):
                self._confirmed = path.stat().st_mtime
        number, tunnels = self._file.in_force.number, self._file.in_force.tunnels
        self.in_force = tunnels.with_besides(self._stored_besides(number))

    def _store_besides(self, number: int) -> None:
        if self._directory is None:
            return
        text = json.dumps({"number": number, "ids": sorted(self.in_force.besides)})
        try:
            whole_file.replace(self._directory / _BESIDES, text)
        except OSError as error:
            log.error("a restart will not know whom services refuse: %s", error.strerror)

    def _stored_besides(self, number: int) -> frozenset[str]:
        """Those of the list of this number."""
        if self._directory is None:
            return frozenset()
        with suppress(OSError, ValueError, KeyError, TypeError):
            stored = json.loads((self._directory / _BESIDES).read_text(encoding="ascii"))
            if stored["number"] == number:
                return _names(stored["ids"])
        return frozenset()


def _names(besides: Sequence[object]) -> frozenset[str]:
    """Those that can be devices."""
    found = set()
    for name in besides:
        with suppress(ValueError):
            found.add(as_name(name))
    return frozenset(found)
