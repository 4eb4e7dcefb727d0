"""How often something may be done for each source: token buckets in a table of bounded size."""

from __future__ import annotations

from collections import OrderedDict


class SourceLimiter:
    """Token buckets by source: `rate` a second, `burst` at once, at most `most` sources.

    When the table is full the source not heard of for longest is forgotten, which
    gives it a fresh burst and nobody else less.
    """

    def __init__(self, rate: float = 20.0, burst: int = 5, most: int = 4096) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._most = most
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def allow(self, source: bytes, now: float) -> bool:
        """Take a token for `source` at `now` seconds; False when it has none left."""
        tokens, then = self._buckets.pop(source, (self._burst, now))
        tokens = min(self._burst, tokens + (now - then) * self._rate)
        allowed = tokens >= 1.0
        self._buckets[source] = (tokens - 1.0 if allowed else tokens, now)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return allowed

    def __len__(self) -> int:
        return len(self._buckets)
