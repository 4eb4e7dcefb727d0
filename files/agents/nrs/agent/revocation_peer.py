"""Asks a sibling of a service for a newer list of revocations, so that one told is all told."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from pathlib import Path

from nrs.api.client import ApiClient, ApiRefused, ApiUnavailable
from nrs.api.revoked import PATH
from nrs.identity.revocation_file import RevocationFile
from nrs.identity.revocations import OlderList, RevocationsRefused

_INTERVAL_S = 2.0

log = logging.getLogger(__name__)


class RevocationPeer:
    """Asks the service at `url` every two seconds; what fails is said once, until it works again.

    In a thread of its own: whatever one sibling answers, or when, keeps nobody from the others.
    """

    def __init__(
        self, url: str, tokens: Mapping[str, str], ca_file: Path | None, kept: RevocationFile
    ) -> None:
        self._url = url
        self._client = ApiClient([url], tokens, ca_file)
        self._kept = kept
        self._failing = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"revocations {url}", daemon=True)

    def start(self) -> None:
        """Ask from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more; what is being asked is not waited for."""
        self._stopping.set()

    def ask(self) -> None:
        """Ask once."""
        try:
            answer = self._client.get(PATH)
            text = answer.get("revocations") if isinstance(answer, dict) else 0
            if text is not None and not isinstance(text, str):
                raise RevocationsRefused("it answers something else")
            if text is not None and self._kept.take(text):
                number = self._kept.in_force.number
                log.info("list number %d of revocations is in force, from %s", number, self._url)
        except OlderList:
            pass  # it has yet to ask here
        except (ApiRefused, ApiUnavailable, RevocationsRefused, OSError, RecursionError) as error:
            if not self._failing:
                log.warning("no list of revocations from %s: %s", self._url, error)
            self._failing = True
            return
        self._failing = False

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.ask()
            except Exception:  # a sibling that was taken over must not end it
                log.exception("the answer of %s", self._url)
            self._stopping.wait(_INTERVAL_S)
