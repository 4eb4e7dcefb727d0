"""Who keeps what two devices claim: an identity, or a tunnel address. Pure.

A HELLO that wants what a live session has, and does not prove that it comes from who has that
session, may come from the same device after a reboot, or from another one. So the session in
use, the holder, is asked by PROBEs of the router's own:

    (none)     -- such a HELLO -->                              ASKED     it is accepted at once
    ASKED      -- 1 s without an answer -->                     (none)
    ASKED      -- answered -->                                  ALIVE
    ALIVE      -- 10 s -->                                      (none)
    ASKED, ALIVE -- answered, and the new session is used -->   CONTESTED, the new one is closed
    CONTESTED  -- such a HELLO -->                              asked again, the HELLO is dropped
    CONTESTED  -- 1 s without an answer -->                     (none)
    CONTESTED  -- 60 s without such a HELLO -->                 (none)

A new session that is used before the answer has come takes over until it comes: a device that
was rebooted never waits. A HELLO alone, which may be a replay, makes nobody suspicious. A session
that has long been silent is not asked: it ends when one that takes something from it is used.
"""

from __future__ import annotations

from dataclasses import dataclass

from nrs.tunnel.handshake import Random

ANSWER_S = 1.0
AGAIN_S = 0.2
"""A question is repeated after this, as it may be lost."""
ALIVE_S = 10.0
CONTESTED_S = 60.0
TOLD_S = 60.0
"""Operators are told of the same holder as often as this."""
_MOST_AT_ONCE = 64
"""Questions in one turn of the packet loop."""
_PAUSE_S = 0.01


@dataclass(slots=True)
class Contest:
    """What is known of one holder; `holder` and `rival` are sessions."""

    holder: int
    where: str
    """Where the holder is."""
    number: int = 0
    asked: float | None = None
    """Since when it is asked, None while it is not."""
    again: float = 0.0
    alive: float | None = None
    """When it has answered last."""
    rival: int = 0
    """The session that has taken over and would have to give way; 0: none."""
    rival_where: str = ""
    contested: float | None = None
    """When a rival was last seen, None before the first."""
    told: float | None = None


class Contests:
    """Of all holders of a router."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._by_holder: dict[int, Contest] = {}
        self.refused = 0
        """How often somebody was refused who is a second device, as far as is known."""

    def get(self, holder: int) -> Contest | None:
        """What is known of it, if it was asked."""
        return self._by_holder.get(holder)

    def ask(self, holder: int, where: str, now: float) -> Contest:
        """Have it asked, unless it is; `number` of what this gives is the question's."""
        contest = self._by_holder.setdefault(holder, Contest(holder, where))
        contest.where = where
        if contest.asked is None:
            contest.number = int.from_bytes(self._random(4), "big")
            contest.asked, contest.again, contest.alive = now, now, None
        return contest

    def against(self, rival: int) -> list[Contest]:
        """Those from whom this session has taken over for now."""
        return [contest for contest in self._by_holder.values() if contest.rival == rival]

    def inherit(self, holder: int, heir: int) -> None:
        """The same device has another session now."""
        contest = self._by_holder.get(holder)
        if contest is not None and contest.contested is not None:
            self.forget(holder)
            contest.holder = heir
            self._by_holder[heir] = contest

    def answered(self, holder: int, number: int, now: float) -> Contest | None:
        """A holder has answered the question of this number; None where that is none of ours."""
        contest = self._by_holder.get(holder)
        if contest is None or contest.asked is None or contest.number != number:
            return None
        contest.asked, contest.alive = None, now
        return contest

    def meets(self, contest: Contest, where: str, now: float) -> bool:
        """A second device is known to be at `where`; whether operators are to be told now."""
        self.refused += 1
        contest.rival, contest.rival_where, contest.contested = 0, where, now
        if contest.told is not None and now - contest.told < TOLD_S:
            return False
        contest.told = now
        return True

    def forget(self, holder: int) -> None:
        """Its session is over."""
        self._by_holder.pop(holder, None)

    def due(self, now: float) -> tuple[list[Contest], list[Contest]]:
        """Whom to ask now, and who has not answered in time, who is known no more."""
        silent: list[Contest] = []
        ask: list[Contest] = []
        for contest in list(self._by_holder.values()):
            if contest.asked is not None:
                if now - contest.asked >= ANSWER_S:
                    silent.append(contest)
                elif contest.again <= now and len(ask) < _MOST_AT_ONCE:
                    contest.again = now + AGAIN_S
                    ask.append(contest)
            elif _over(contest, now):
                self.forget(contest.holder)
        for contest in silent:
            self.forget(contest.holder)
        return ask, silent

    def next_due(self, now: float) -> float | None:
        """When `due` is to be called for whoever is being asked; None while that is nobody."""
        times = [
            min(contest.again, contest.asked + ANSWER_S)
            for contest in self._by_holder.values()
            if contest.asked is not None
        ]
        return max(now + _PAUSE_S, min(times)) if times else None


def _over(contest: Contest, now: float) -> bool:
    if contest.contested is not None:
        return now - contest.contested > CONTESTED_S
    return contest.alive is None or now - contest.alive > ALIVE_S
