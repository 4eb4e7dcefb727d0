"""Keeps what somebody else takes away: what is put back now, what later, what is said. Pure.

in its place --taken--> put back at once, told the first time in a minute
                 | five times in a minute, taken or refused
                 v
             put back once a minute, told once, a problem until it has stayed for a minute
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

Thing = TypeVar("Thing", bound=Hashable)

WINDOW_S = 60.0
MOST = 5
_REFUSED_S = 1.0


@dataclass(frozen=True)
class Missing(Generic[Thing]):
    """What is not in its place."""

    gone: list[Thing]
    due: list[Thing]
    """To be put there now."""
    fresh: list[Thing]
    """Of what was taken, what is to be told."""
    stubborn: list[Thing]
    """Taken too often: to be told, and put back later."""


class Upkeep(Generic[Thing]):
    """Of things that are to be in their places; times are of a clock in seconds."""

    def __init__(self) -> None:
        self.put_back = 0
        """How many things that were gone have been put back so far."""
        self._placed: set[Thing] = set()
        self._taken: set[Thing] = set()
        self._back_at: dict[Thing, float] = {}
        """When those were put back that somebody had taken."""
        self._trouble: dict[Thing, tuple[float, ...]] = {}
        """When they were taken or refused, within the last minute."""
        self._later: dict[Thing, float] = {}
        """When to try those again that cannot be put back now."""
        self._stubborn: dict[Thing, float] = {}
        """Since when."""

    def missing(
        self, wanted: Collection[Thing], present: Collection[Thing], now: float
    ) -> Missing[Thing]:
        """What to do about what is not there; `placed` and `refused` are told how it went."""
        self._forget(wanted, now)
        gone = [thing for thing in wanted if thing not in present]
        self._placed.update(thing for thing in wanted if thing in present)
        self._come_back(present, now)
        taken = [thing for thing in gone if thing in self._placed]
        fresh = [thing for thing in taken if not self._trouble.get(thing)]
        self._placed.difference_update(taken)
        self._taken.update(taken)
        stubborn = [thing for thing in taken if self._note(thing, now)]
        due = [thing for thing in gone if self._later.get(thing, now) <= now]
        return Missing(gone, due, fresh, stubborn)

    def placed(self, things: Iterable[Thing], now: float) -> None:
        """They are in their places."""
        for thing in things:
            self._placed.add(thing)
            self._later.pop(thing, None)
            if thing in self._trouble or thing in self._stubborn:
                self._back_at[thing] = now
            if thing in self._taken:
                self._taken.remove(thing)
                self.put_back += 1

    def refused(self, things: Iterable[Thing], now: float) -> list[Thing]:
        """They could not be put there; those of which that is to be told."""
        told = []
        for thing in things:
            first = thing not in self._later and thing not in self._stubborn
            if self._note(thing, now) or first:
                told.append(thing)
            self._later.setdefault(thing, now + _REFUSED_S)
            if thing not in self._stubborn:
                self._later[thing] = now + _REFUSED_S
        return told

    def settled(self, now: float) -> list[Thing]:
        """Those that are no problem any more: they have stayed for a minute."""
        stay = [
            thing
            for thing in self._stubborn
            if thing in self._placed and now - self._back_at.get(thing, now) >= WINDOW_S
        ]
        for thing in stay:
            del self._stubborn[thing]
            self._back_at.pop(thing, None)
        return stay

    @property
    def problems(self) -> dict[Thing, float]:
        """What cannot be kept in its place, and since when."""
        return dict(self._stubborn)

    def next_due(self) -> float | None:
        """When there is something to do without being told, by the same clock."""
        settle = [
            self._back_at[thing] + WINDOW_S
            for thing in self._stubborn
            if thing in self._placed and thing in self._back_at
        ]
        return min([*self._later.values(), *settle], default=None)

    def _come_back(self, present: Collection[Thing], now: float) -> None:
        """What somebody has put there himself is not tried again, nor counted as put back."""
        self._taken -= {thing for thing in self._taken if thing in present}
        for thing in [thing for thing in self._later if thing in present]:
            del self._later[thing]
            if thing in self._stubborn:
                self._back_at[thing] = now

    def _note(self, thing: Thing, now: float) -> bool:
        """Count it; whether it is new that there is no use in putting it back at once."""
        recent = (at for at in self._trouble.get(thing, ()) if at > now - WINDOW_S)
        times = self._trouble[thing] = (*recent, now)
        if thing in self._stubborn:
            self._later[thing] = now + WINDOW_S
            return False
        if len(times) < MOST:
            return False
        self._stubborn[thing] = now
        self._later[thing] = now + WINDOW_S
        return True

    def _forget(self, wanted: Collection[Thing], now: float) -> None:
        """Of what is not wanted any more, and what has long been well, nothing is kept."""
        for kept in (self._later, self._stubborn, self._back_at):
            for thing in [thing for thing in kept if thing not in wanted]:
                del kept[thing]
        self._placed.intersection_update(wanted)
        self._taken.intersection_update(wanted)
        for thing, times in list(self._trouble.items()):
            if thing not in wanted or times[-1] <= now - WINDOW_S:
                del self._trouble[thing]
                if thing not in self._stubborn:
                    self._back_at.pop(thing, None)
