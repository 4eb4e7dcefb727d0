"""Asks a service's siblings for a newer list of revocations, so that one told is all told."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence

from nrs.api.client import ApiClient, ApiRefused, ApiUnavailable
from nrs.api.revoked import PATH
from nrs.identity.revocation_file import RevocationFile
from nrs.identity.revocations import RevocationsRefused

_INTERVAL_S = 2.0

log = logging.getLogger(__name__)


class RevocationPeers:
    """Asks each of `urls` every two seconds; what fails is said once, until it works again."""

    def __init__(
        self, urls: Sequence[str], tokens: Mapping[str, str], kept: RevocationFile
    ) -> None:
        self._clients = {url: ApiClient([url], tokens) for url in urls}
        self._kept = kept
        self._failing: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="revocations", daemon=True)

    def start(self) -> None:
        """Ask from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more; what is being asked is not waited for."""
        self._stopping.set()

    def ask(self) -> None:
        """Ask each of them once."""
        for url, client in self._clients.items():
            try:
                text = client.get(PATH)["revocations"]
                if text is not None and self._kept.take(text):
                    number = self._kept.in_force.number
                    log.info("list number %d of revocations is in force, from %s", number, url)
                self._failing.discard(url)
            except (ApiRefused, ApiUnavailable, RevocationsRefused, OSError, KeyError) as error:
                if url not in self._failing and not _is_older(error):
                    log.warning("no list of revocations from %s: %s", url, error)
                    self._failing.add(url)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.ask()
            self._stopping.wait(_INTERVAL_S)


def _is_older(error: Exception) -> bool:
    """A sibling that has yet to ask here."""
    return isinstance(error, RevocationsRefused) and "is older than" in str(error)
