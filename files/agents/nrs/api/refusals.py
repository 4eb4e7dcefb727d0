"""How refused credentials are counted, told and slowed, and how refused requests are told.

Pure: the time is given.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from nrs.api.gate import source_of

AT_ONCE = 20
"""Refusals of one source that are answered at once; one more with each second."""

_EVERY_S = 1.0
_LONGEST_S = 10.0
_MOST_SOURCES = 4096


@dataclass(frozen=True)
class Refused:
    """What follows: the seconds to hold the answer back, and a line for the log, if any."""

    delay_s: float
    answered: bool
    """Whether it is answered then; a source that has as many in line as that takes is not."""
    log: str | None


class _Told:
    """Counts, with a line once a second at most."""

    def __init__(self, line: str) -> None:
        self.total = 0
        self._text = line
        self._logged_at: float | None = None
        self._untold = 0

    def note(self, source: str, now: float) -> str | None:
        """One more; the line, if it is time for one."""
        self.total += 1
        self._untold += 1
        if self._logged_at is not None and now - self._logged_at < _EVERY_S:
            return None
        self._logged_at = now
        count, self._untold = self._untold, 0
        more = "" if count == 1 else f", and {count - 1} more since the last such line"
        return f"{self._text.format(source)}{more}"


class Refusals:
    """All that were refused; sources are counted as connections are."""

    def __init__(self) -> None:
        self._credentials = _Told("a credential from {} was refused")
        self._requests = _Told("a request from {} was not for its credential")
        self._free_at: OrderedDict[str, float] = OrderedDict()

    def as_dict(self) -> dict[str, int]:
        """How many credentials, and how many requests of good ones."""
        return {"credentials": self._credentials.total, "requests": self._requests.total}

    def refused(self, address: str, now: float) -> Refused:
        """One more, from `address`."""
        source = source_of(address)
        # Each takes a second of its source's time; AT_ONCE seconds may be owed.
        owed = max(self._free_at.pop(source, now) - now, 0.0)
        delay = max(0.0, owed + _EVERY_S - AT_ONCE * _EVERY_S)
        answered = delay <= _LONGEST_S
        self._free_at[source] = now + owed + (_EVERY_S if answered else 0.0)
        while len(self._free_at) > _MOST_SOURCES:
            self._free_at.popitem(last=False)
        line = self._credentials.note(source, now)
        return Refused(min(delay, _LONGEST_S), answered, line)

    def denied(self, source: str, now: float) -> str | None:
        """A request, from `source`, that its credential is not for; a line for the log, if any."""
        return self._requests.note(source, now)
