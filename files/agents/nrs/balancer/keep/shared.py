"""What several load balancers share in Redis or Valkey.

    nrs:routers     hash    router    -> its last report, and when it came in
    nrs:endpoints   hash    endpoint  -> what is remembered of it (`snapshot.KeptEndpoint`)
    nrs:news        stream  the changes of these, each with the load balancer that they come from

The hashes are for one that begins or has been away, the stream for those that are there. It is
cut to its last entries: whoever has been away for longer reads the hashes again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from pydantic import TypeAdapter, ValidationError
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from nrs.api.messages import MetricsReport
from nrs.balancer.decide.snapshot import KeptEndpoint
from nrs.config.types import Name

_ROUTERS, _ENDPOINTS, _NEWS = "nrs:routers", "nrs:endpoints", "nrs:news"
_MOST_NEWS = 2000
_AT_ONCE = 1000
_TIMEOUT_S = 1.0


class SharedReport(NamedTuple):
    """A report, and the time of the wall clock at which it came in."""

    report: MetricsReport
    received_at: float


class News(NamedTuple):
    """What other load balancers have heard and decided."""

    reports: list[SharedReport]
    endpoints: dict[str, KeptEndpoint]


_REPORT: TypeAdapter[SharedReport] = TypeAdapter(SharedReport)
_KEPT: TypeAdapter[dict[Name, KeptEndpoint]] = TypeAdapter(dict[Name, KeptEndpoint])
_NEWS_TYPE: TypeAdapter[News] = TypeAdapter(News)


class SharedStore:
    """A connection for the load balancer `me`. Every method raises redis.RedisError."""

    def __init__(self, url: str, password: str | None, me: str) -> None:
        self._me = me
        self._seen = "0-0"
        self._redis = Redis.from_url(
            url,
            password=password,
            decode_responses=True,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )

    def begin(self) -> None:
        """Later news are those from now on."""
        last = cast(list[Any], self._redis.xrevrange(_NEWS, count=1))
        self._seen = last[0][0] if last else "0-0"

    def reports(self) -> list[SharedReport]:
        """Of every router that one of them has heard of. What is damaged is left out."""
        stored = cast(Mapping[str, str], self._redis.hgetall(_ROUTERS))
        found = []
        for text in stored.values():
            try:
                found.append(_REPORT.validate_json(text))
            except ValidationError:
                continue
        return found

    def endpoints(self) -> Iterator[dict[str, KeptEndpoint]]:
        """All that are remembered, in parts. What is damaged is left out."""
        cursor = 0
        while True:
            cursor, part = cast(
                tuple[int, dict[str, str]],
                self._redis.hscan(_ENDPOINTS, cursor, count=_AT_ONCE),
            )
            try:
                joined = ",".join(f"{json.dumps(name)}:{text}" for name, text in part.items())
                yield _KEPT.validate_json("{" + joined + "}")
            except ValidationError:
                pass
            if cursor == 0:
                return

    def publish(
        self,
        reports: Sequence[SharedReport],
        endpoints: Mapping[str, KeptEndpoint],
    ) -> None:
        """Tell the others."""
        if not reports and not endpoints:
            return
        told = {shared.report.server_id: _REPORT.dump_json(shared).decode() for shared in reports}
        kept = {name: json.dumps(what) for name, what in endpoints.items()}
        news = json.dumps([[json.loads(text) for text in told.values()], endpoints])
        pipe = self._redis.pipeline(transaction=False)
        if told:
            pipe.hset(_ROUTERS, mapping=cast(Any, told))
        if kept:
            pipe.hset(_ENDPOINTS, mapping=cast(Any, kept))
        pipe.xadd(_NEWS, {"from": self._me, "what": news}, maxlen=_MOST_NEWS, approximate=True)
        pipe.execute()

    def news(self) -> Iterator[News]:
        """What the others have told since the last time. What is damaged is left out."""
        while True:
            answer = cast(list[Any], self._redis.xread({_NEWS: self._seen}, count=50))
            if not answer:
                return
            for number, fields in answer[0][1]:
                self._seen = number
                if fields.get("from") == self._me:
                    continue
                try:
                    yield _NEWS_TYPE.validate_json(fields.get("what", ""))
                except ValidationError:
                    continue

    def forget(self, endpoints: Sequence[str]) -> None:
        """Drop what is remembered of endpoints that are gone."""
        if endpoints:
            self._redis.hdel(_ENDPOINTS, *endpoints)

    def close(self) -> None:
        """Hang up."""
        self._redis.close()
