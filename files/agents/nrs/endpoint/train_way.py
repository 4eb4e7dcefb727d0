"""What trials of trains have shown of one direction. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from nrs.endpoint.loss_signs import LossSigns
from nrs.tunnel.wire import Group

COUNT = 6
"""Datagrams of a group."""
_PASSES, _FAILS = COUNT - 2, 1
"""So many or more that arrive, and so many or fewer."""
_PROOFS = 3
_RECOVERIES = 2


@dataclass
class Way:
    """What is known of one direction."""

    together: bool = True
    """Whether its sender may send trains."""
    joined: bool = True
    """Whether what its receiver joins is well, as far as is known."""
    tried: bool = False
    """Whether this end joins during a trial nevertheless, to find out."""
    trains_lost: int = 0
    rows_lost: int = 0
    good: int = 0
    """Trials in a row that say so; `good`: that all is well."""
    suspected: bool = False
    """Whether trains end until a trial has found nothing."""
    loss: LossSigns = field(default_factory=LossSigns)

    @property
    def sends_trains(self) -> bool:
        """Whether its sender sends trains now."""
        return self.together and not self.suspected

    @property
    def joins(self) -> bool:
        """Whether its receiver may join what arrives."""
        return self.joined or self.tried

    @property
    def in_question(self) -> bool:
        return self._doubtful or (bool(self.good) and not (self.together and self.joined))

    @property
    def _doubtful(self) -> bool:
        return bool((self.together and self.trains_lost) or (self.joined and self.rows_lost))

    def end_trial(self) -> None:
        """What the trial has lost itself asks for nothing; a suspicion lasts with the doubt."""
        self.loss.forget()
        self.suspected = self._doubtful

    def learn(self, arrived: dict[Group, set[int]], *, own: bool, again: bool) -> None:
        """From the members of each group that have arrived; `own`: this end receives.

        `again`: it is time to turn on what was turned off, if that is well.
        """
        apart, row, train = (len(arrived[group]) for group in Group)
        if apart < _PASSES:
            return
        row_lost, train_lost = row <= _FAILS, train <= _FAILS
        self.rows_lost = self.rows_lost + 1 if row_lost else 0
        if not row_lost:  # else that is why it was lost, perhaps
            self.trains_lost = self.trains_lost + 1 if train_lost else 0
        well = row >= _PASSES and train >= _PASSES
        self.good = self.good + 1 if well and again else 0
        if self.rows_lost >= _PROOFS:
            self.joined, self.rows_lost = False, 0
        if self.trains_lost >= _PROOFS:
            self.together, self.trains_lost = False, 0
        if self.good >= _RECOVERIES:
            self.together, self.good = True, 0
            # What this end does not join proves nothing about joining.
            self.joined = self.joins or not own
