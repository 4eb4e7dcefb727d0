"""What one tunnel's path carries: how long, whether together, and what was lost of it. Pure.

Sizes, trains and counts each have a file of their own; here is what a tunnel does by them.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

from nrs.endpoint.counting import Counting
from nrs.endpoint.orders import JoinTrains, Order
from nrs.endpoint.path_mtu import PathMtu, State
from nrs.endpoint.quality import Counts
from nrs.endpoint.train_way import COUNT
from nrs.endpoint.trains import LENGTH, Trains
from nrs.tunnel import wire
from nrs.tunnel.control import Control
from nrs.tunnel.orders import LimitDatagrams, SendControl, SendTogether, SendTrain, Tell
from nrs.tunnel.wire import Cipher, Group, Member, ProbeAck, Type


class Carrying:
    """Of the path to one router; `now` is in seconds of the tunnel's clock."""

    def __init__(self, router_id: str, ask_now: Callable[[], None]) -> None:
        """`ask_now` has a PROBE go out at once, which tells the router what is known."""
        self.mtu = PathMtu()
        self.trains = Trains()
        self._counting = Counting()
        self._router_id = router_id
        self._ask_now = ask_now
        self._index = 0
        """The local index of the session; 0: there is none."""
        self._cipher = Cipher.NONE
        """Of the session."""
        self._headers = wire.HEADERS6
        self._told_size = 0
        self._told_trains: tuple[str, ...] = ()
        self._together: list[Order] = []
        """What was ordered of sending and joining trains last, for this session."""
        self._asks_trains = True
        """Whether the router was asked last for trains."""
        self._limited: LimitDatagrams | None = None
        """As ordered last."""

    # -- what it belongs to

    def leave_by(self, version: int, *, again: bool) -> None:
        """Datagrams go over this IP version; `again`: from another socket, so by another path."""
        self._headers = wire.HEADERS4 if version == 4 else wire.HEADERS6
        if again:
            self.mtu.restart()
            self.trains.restart()
            self._together = []

    def begin(self, index: int, cipher: Cipher, now: float) -> list[Order]:
        """A session, with numbers of its own, over what is known already."""
        self._index, self._cipher = index, cipher
        self._counting.restart()
        return self._limit(now)

    def end(self) -> None:
        """There is no session."""
        self._index = 0

    # -- what is due

    def due(self, now: float, round_trip: float, *, busy: bool) -> list[Order]:
        """What to send of a session that answers; `round_trip` is when an answer is overdue."""
        orders: list[Order] = []
        for number, size in self.mtu.due(now, round_trip, busy=busy):
            self._counting.path_probe_sent()
            body = wire.encode_path_probe(size - self._headers, self._cipher)
            orders.append(
                SendControl(self._index, Type.PATH_PROBE, body, specific=number, whole=True)
            )
        if self._is_known and self.trains.due(now, round_trip, busy=busy):
            orders += self._trial()
        return orders + self._limit(now) + self._tell_size() + self._go_together()

    def next_due(self, now: float, round_trip: float, *, busy: bool) -> float:
        """When `due` has to be called next, while the session answers."""
        trains = self.trains.next_due(round_trip, busy=busy) if self._is_known else math.inf
        return min(self.mtu.next_due(now, round_trip, busy=busy), trains)

    def interrupt(self) -> None:
        """It does not answer: ask again when it does."""
        self.mtu.interrupt()
        self.trains.interrupt()

    def hold(self, now: float) -> list[Order]:
        """Packets come along that were on their way to another path: refuse none for a moment."""
        self.mtu.unsettle(now)
        return self._limit(now)

    # -- what the router is told, with each PROBE

    @property
    def longest(self) -> int:
        """Bytes of a datagram."""
        return self.mtu.size - self._headers

    def probe_flags(self, number: int, now: float) -> int:
        """Those of a PROBE that goes out now, under this number."""
        self._counting.probe_sent(number, trial=self.trains.under_way)
        return (
            (wire.SETTLED if self.mtu.settled(now) else 0)
            | (0 if self.trains.down.sends_trains else wire.NO_TRAINS)
            | (0 if self.trains.up.joined else wire.JOINED_BADLY)
        )

    # -- what arrives

    def handle_path_ack(self, control: Control, now: float, *, present: bool) -> list[Order]:
        """`present`: of the session in use. Raises wire.Malformed."""
        length = wire.decode_path_ack(control.body, control.cipher)
        self.mtu.answered(control.specific, length + self._headers, now)
        if present:
            self._counting.path_ack_came()
        return self._limit(now)

    def handle_train(self, control: Control) -> None:
        """A member of a router's group, or that it has got one. Raises wire.Malformed."""
        member, group = Member.decode(control.specific), wire.group_of(control.flags)
        come = self.trains.arrived if control.kind is Type.TRAIN else self.trains.answered
        come(member.trial, group, member.index)

    def handle_probe_ack(
        self, number: int, ack: ProbeAck, highest: int, received: int, now: float
    ) -> Counts | None:
        """What was lost of the path, so far; None where the answer does not tell.

        `highest` and `received` are of the session at this end.
        """
        counts = self._counting.answered(number, ack, highest, received)
        if counts is not None:
            self.trains.observe(counts, now)
        return counts

    # -- what follows from it

    @property
    def _is_known(self) -> bool:
        return self.mtu.state in {State.COMPLETE, State.ERROR}

    def _trial(self) -> list[Order]:
        """Try whether trains arrive."""
        self._counting.trial_sent()
        length = min(LENGTH, self.longest - COUNT) - self._cipher.overhead
        groups = [
            tuple(
                SendControl(self._index, Type.TRAIN, body, flags=group, specific=specific)
                for specific, body in wire.train_group(group, self.trains.trial, COUNT, length)
            )
            for group in Group
        ]
        apart, row, train = groups
        return [*apart, *row, SendTrain(train)]

    def _limit(self, now: float) -> list[Order]:
        """Go by what is known of the path, and tell the router at once."""
        limit = LimitDatagrams(self._index, self.longest, self.mtu.settled(now))
        if limit == self._limited or not self._index:
            return []
        self._limited = limit
        self._ask_now()
        return [limit]

    def _tell_size(self) -> list[Order]:
        """Say what the path carries, when it is known and another size than was said."""
        size = self.mtu.size
        if size == self._told_size or not self._is_known:
            return []
        self._told_size = size
        text = f"the path to {self._router_id} carries packets of {size} bytes"
        if self.mtu.state is State.COMPLETE:
            return [Tell(logging.INFO, text)]
        return [Tell(logging.WARNING, f"{text} at most: less than any path should")]

    def _go_together(self) -> list[Order]:
        """Send and join trains as far as they are known to arrive."""
        wanted: list[Order] = [
            SendTogether(self._index, self.trains.up.sends_trains),
            JoinTrains(self._index, self.trains.down.joins),
        ]
        orders = [order for order in wanted if order not in self._together]
        self._together = wanted
        if self.trains.down.sends_trains is not self._asks_trains:
            self._asks_trains = self.trains.down.sends_trains
            self._ask_now()
        lost = tuple(self.trains.lost())
        if lost == self._told_trains or self.trains.undecided:
            return orders
        before, self._told_trains = self._told_trains, lost
        self._ask_now()
        if set(lost) <= set(before):
            again = ", ".join(what for what in before if what not in lost)
            text = f"arrive again on the path to {self._router_id}: {again}"
            return [*orders, Tell(logging.INFO, text)]
        text = (
            f"on the path to {self._router_id} single datagrams arrive, and not"
            f" {', '.join(lost)}: they go one by one now"
        )
        return [*orders, Tell(logging.WARNING, text)]
