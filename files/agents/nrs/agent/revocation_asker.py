"""Asks a service for a newer list of revocations, so that one told is all told."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nrs.api.client import ApiClient, ApiRefused, ApiUnavailable
from nrs.api.revoked import MOST_ASKED, PATH
from nrs.identity.revocations import OlderList, RevocationsRefused

log = logging.getLogger(__name__)


class RevocationAsker(ABC):
    """Asks the service at `url` now and then; what fails is said once, until it works again.

    In a thread of its own: whatever one service answers, or when, keeps nobody from the others.
    """

    def __init__(
        self, url: str, tokens: Mapping[str, str], ca_file: Path | None, interval: float = 2.0
    ) -> None:
        self.url = url
        self._interval = interval
        self._client = ApiClient([url], tokens, ca_file)
        self.failing = False
        """Whether it was last without an answer that is any good."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"revocations {url}", daemon=True)

    @property
    @abstractmethod
    def number(self) -> int:
        """That of the list in force here."""

    @abstractmethod
    def take(self, text: str | None, answer: Mapping[str, Any]) -> None:
        """Go by the list that the service tells, None where it has no newer one.

        `answer` is all that it says. Raises RevocationsRefused, OSError.
        """

    def start(self) -> None:
        """Ask from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more; what is being asked is not waited for."""
        self._stopping.set()

    def ask(self) -> None:
        """Ask once."""
        try:
            answer = self._client.get(PATH, {"after": str(min(self.number, MOST_ASKED))})
            text = answer.get("revocations") if isinstance(answer, dict) else 0
            if text is not None and not isinstance(text, str):
                raise RevocationsRefused("it answers something else")
            self.take(text, answer)
        except OlderList:
            pass  # it has yet to ask here
        except (ApiRefused, ApiUnavailable, RevocationsRefused, OSError, RecursionError) as error:
            if not self.failing:
                log.warning("no list of revocations from %s: %s", self.url, error)
            self.failing = True
            return
        self.failing = False

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.ask()
            except Exception:  # a service that was taken over must not end it
                log.exception("the answer of %s", self.url)
            self._stopping.wait(self._interval)
