"""Where a device's companion hears what is revoked: services, and a file that others write."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from nrs.agent.revocation_asker import RevocationAsker
from nrs.agent.tasks import Work
from nrs.identity.revocations import LARGEST, RevocationsRefused
from nrs.system import control

log = logging.getLogger(__name__)

_LOOK_S = 1.0


def begin(work: Work, socket: Path, interval: float) -> Set[str]:
    """Ask each service every `interval` seconds and watch the file, until the process ends.

    Returns the URLs of those that answer, as it changes: one of an earlier release does not.
    """
    answering: set[str] = set()
    for url in work.revocations_from:
        RevocationService(url, work.tokens, work.ca_file, socket, interval, answering).start()
    if work.revocations_file is not None:
        RevocationWatch(work.revocations_file, socket).start()
    return answering


def told(figures: Mapping[str, Any]) -> dict[str, Any]:
    """What services are told of the list that the agent goes by, of its figures."""
    return {
        "revocations": figures["revocations"] or 0,
        "revocations_age_s": figures["revocations_age_s"],
    }


def _hand_over(socket: Path, text: str | None, **told: Any) -> int:
    """Have the agent go by a list; the number of the one in force there.

    Raises RevocationsRefused, ControlError.
    """
    answer = control.request(socket, "revocations", text=text, **told)
    if answer["error"] is not None:
        raise RevocationsRefused(answer["error"])
    return int(answer["number"])


class RevocationService(RevocationAsker):
    """Asks the service at `url`, for the agent at a control socket."""

    def __init__(
        self,
        url: str,
        tokens: Mapping[str, str],
        ca_file: Path | None,
        socket: Path,
        interval: float,
        answering: set[str],
    ) -> None:
        """`answering` has the URL as long as the service answers."""
        super().__init__(url, tokens, ca_file, interval)
        self._socket = socket
        self._answering = answering
        self._number = 0

    @property
    def number(self) -> int:
        return self._number

    def ask(self) -> None:
        super().ask()
        (self._answering.discard if self.failing else self._answering.add)(self.url)

    def take(self, text: str | None, answer: Mapping[str, Any]) -> None:
        told = {"number": answer.get("number"), "besides": answer.get("besides")}
        try:
            self._number = _hand_over(self._socket, text, **told)
        except control.ControlError as error:
            raise RevocationsRefused(str(error)) from None


class RevocationWatch:
    """Tells the agent of a list in a file within a second; one that is no good is told once."""

    def __init__(self, path: Path, socket: Path) -> None:
        self._path, self._socket = path, socket
        self._seen: tuple[int, ...] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="revocations file", daemon=True)

    def start(self) -> None:
        """Look from now on."""
        self._thread.start()

    def look(self) -> None:
        """Look once."""
        try:
            found = self._path.stat()
            seen = found.st_ino, found.st_mtime_ns, found.st_size
            if seen == self._seen:
                return
            with self._path.open("rb") as file:
                text = file.read(LARGEST + 2).decode("ascii", "replace").strip()
            _hand_over(self._socket, text)
        except FileNotFoundError:
            return
        except control.ControlError as error:
            log.warning("%s", error)
            return
        except (OSError, RevocationsRefused) as error:
            log.warning("%s is not taken: %s", self._path, error)
        self._seen = seen

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_S):
            self.look()
