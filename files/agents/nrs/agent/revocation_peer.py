"""A sibling of a service, asked for a newer list of revocations."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nrs.agent.revocation_asker import RevocationAsker
from nrs.identity.revocation_file import RevocationFile

log = logging.getLogger(__name__)


class RevocationPeer(RevocationAsker):
    """Asks the service at `url` every two seconds, for the list in `kept`."""

    def __init__(
        self, url: str, tokens: Mapping[str, str], ca_file: Path | None, kept: RevocationFile
    ) -> None:
        super().__init__(url, tokens, ca_file)
        self._kept = kept

    @property
    def number(self) -> int:
        return self._kept.in_force.number

    def take(self, text: str | None, answer: Mapping[str, Any]) -> None:
        if text is not None and self._kept.take(text):
            log.info("list number %d of revocations is in force, from %s", self.number, self.url)
