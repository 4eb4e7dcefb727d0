"""Which endpoints' decisions are to be passed on: changed ones soon, all others now and then.

Of an endpoint that stays where it is, the time of its last question is all that changes. Whoever
keeps a copy has to hear of that before the endpoint counts as gone, and no sooner.
"""

from __future__ import annotations

import math


class Feed:
    """For one consumer. Every endpoint that asks is passed on within two times `round_s`."""

    def __init__(self, round_s: float) -> None:
        self._round_s = round_s
        self._changed: dict[str, None] = {}
        self._asked: set[str] = set()
        self._round: list[str] = []
        self._size = 0

    def note(self, endpoint_id: str, *, changed: bool) -> None:
        """An endpoint has asked."""
        if changed:
            self._changed[endpoint_id] = None
        else:
            self._asked.add(endpoint_id)

    def again(self, ids: list[str]) -> None:
        """What has been taken could not be passed on."""
        self._changed.update(dict.fromkeys(ids))

    def take(self, seconds: float) -> list[str]:
        """What is to be passed on now, `seconds` after the last time."""
        changed, self._changed = self._changed, {}
        if not self._round:
            self._round, self._asked = list(self._asked), set()
            self._size = len(self._round)
        share = math.ceil(self._size * min(seconds / self._round_s, 1.0))
        due, self._round = self._round[:share], self._round[share:]
        changed.update(dict.fromkeys(due))
        return list(changed)

    def take_all(self) -> list[str]:
        """Everything that has been noted."""
        found = [*self._changed, *self._asked, *self._round]
        self._changed, self._asked, self._round = {}, set(), []
        return list(dict.fromkeys(found))
