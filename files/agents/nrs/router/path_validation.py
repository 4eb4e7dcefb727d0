"""Whether an endpoint is where its newest datagrams say they are from (RFC 9000 section 8.2). Pure.

    (none)  -- newest datagram from elsewhere -->           ASKED    a challenge goes there
    ASKED   -- answered from there -->                      (none)   the session's path leads there
    ASKED   -- newest datagram from yet another place -->   ASKED    that is asked
    ASKED   -- newest datagram along the path -->           (none)
    ASKED   -- 3 s without an answer -->                    (none)   the path stays as it was

A challenge is a PROBE of 96 random bits, 32 as its number and 64 in place of a time stamp: who has
the session's keys could guess 32 of them, and answer for a victim that it poses as.
"""

from __future__ import annotations

from dataclasses import dataclass

from nrs.tunnel.handshake import Random
from nrs.tunnel.wire import Probe

ANSWER_S = 3.0
"""Three times the probe timeout of a path of which nothing is known, 1 s (RFC 9000 section 8.2.4,
RFC 9002 section 6.2.2): routers do not measure round trips."""
AGAIN_S = 0.2
"""A challenge is repeated after this, as it may be lost."""
_MOST_AT_ONCE = 256
"""Challenges in one turn of the packet loop."""
_PAUSE_S = 0.02


@dataclass(slots=True)
class Challenge:
    """Of a session's candidate path."""

    session: int
    number: int
    stamp: int
    asked: float
    again: float

    @property
    def body(self) -> bytes:
        """Of the PROBE."""
        return Probe(self.stamp, 0).encode()


class PathValidation:
    """Of all sessions of a router."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._asked: dict[int, Challenge] = {}

    def begin(self, session: int, now: float) -> Challenge:
        """There is a candidate, perhaps in place of another one: its challenge, to be sent now."""
        number, stamp = (int.from_bytes(self._random(size), "big") for size in (4, 8))
        challenge = Challenge(session, number, stamp, now, now + AGAIN_S)
        self._asked[session] = challenge
        return challenge

    def answered(self, session: int, number: int, stamp: int) -> bool:
        """Whether what has come from the candidate answers its challenge, which is over then."""
        challenge = self._asked.get(session)
        if challenge is None or (challenge.number, challenge.stamp) != (number, stamp):
            return False
        self.forget(session)
        return True

    def forget(self, session: int) -> None:
        """There is no candidate any more, or no session."""
        self._asked.pop(session, None)

    def due(self, now: float) -> tuple[list[Challenge], list[int]]:
        """Which challenges to send again now, and of which sessions the candidate has failed."""
        failed = [c.session for c in self._asked.values() if now - c.asked >= ANSWER_S]
        for session in failed:
            self.forget(session)
        again = [c for c in self._asked.values() if c.again <= now][:_MOST_AT_ONCE]
        for challenge in again:
            challenge.again = now + AGAIN_S
        return again, failed

    def next_due(self, now: float) -> float | None:
        """When `due` is to be called; None while nobody is asked."""
        times = [min(c.again, c.asked + ANSWER_S) for c in self._asked.values()]
        return max(now + _PAUSE_S, min(times)) if times else None
