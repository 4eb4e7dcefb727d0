"""Whether datagrams that go, or are joined, together arrive: a router's part. Pure.

It answers the trials of endpoints (`nrs.endpoint.trains`), and goes by what they say.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from logging import INFO, WARNING

from nrs.router.orders import JoinAt, Order
from nrs.router.session_table import Device, SessionState
from nrs.tunnel import wire
from nrs.tunnel.control import Control
from nrs.tunnel.orders import SendControl, SendTogether, SendTrain, Tell
from nrs.tunnel.wire import Group, Member, Type

_TRIAL_INTERVAL_S = 0.030
"""Between trials of an endpoint that are answered with groups: they are many bytes for few."""
_ACCUSERS = 2
_APART_S = 600.0
"""For this long what arrives is not joined where several endpoints have found that damaged."""


class Trains:
    """What is joined at the router's ports; `now` is in seconds of one steady clock."""

    def __init__(self, devices: Iterable[Device]) -> None:
        """`devices` are all that have a session, whenever they are asked for."""
        self._devices = devices
        self._joins_again: dict[int, float] = {}
        """When to join again what arrives at a port; it is joined at all others."""

    def answer(self, state: SessionState, index: int, control: Control, now: float) -> list[Order]:
        """Say that a datagram of a trial has come; with the first one, send such groups back.

        Raises wire.Malformed.
        """
        member, group = Member.decode(control.specific), wire.group_of(control.flags)
        length = wire.train_body(group, member, control.body)
        orders: list[Order] = [
            SendControl(index, Type.TRAIN_ACK, flags=group, specific=control.specific)
        ]
        number, when = state.trial or (None, -math.inf)
        if number == member.trial or now - when < _TRIAL_INTERVAL_S:
            return orders
        state.trial = member.trial, now
        for back in Group:
            sent = tuple(
                SendControl(index, Type.TRAIN, body, flags=back, specific=specific)
                for specific, body in wire.train_group(back, member.trial, member.count, length)
            )
            orders += [SendTrain(sent)] if back is Group.TRAIN else sent
        return orders

    def hear(
        self, state: SessionState, index: int, flags: int, port: int, now: float
    ) -> list[Order]:
        """What an endpoint has found out about datagrams that go together.

        Its session goes by that at once. The socket of a port is for many: it stops joining when
        several endpoints say that it should.
        """
        orders: list[Order] = []
        together = not flags & wire.NO_TRAINS
        if together is not state.together:
            state.together = together
            orders.append(SendTogether(index, together))
        badly = bool(flags & wire.JOINED_BADLY)
        if (badly, port) != (state.joined_badly, state.port):
            state.joined_badly, state.port = badly, port
            accusers = self._accusers(port)
            if port not in self._joins_again and accusers >= _ACCUSERS:
                self._joins_again[port] = now + _APART_S
                text = f"{accusers} endpoints say that what port {port} joins is damaged"
                orders += [JoinAt(port, False), Tell(WARNING, f"{text}: it does not now")]
        return orders

    def _accusers(self, port: int) -> int:
        states = [device.current.state for device in self._devices if device.current is not None]
        return sum(state.joined_badly and state.port == port for state in states)

    def due(self, now: float) -> list[Order]:
        """Join what arrives again after a while, unless as many say still that it is damaged."""
        orders: list[Order] = []
        for port, when in list(self._joins_again.items()):
            if now < when:
                continue
            if self._accusers(port) >= _ACCUSERS:
                self._joins_again[port] = now + _APART_S
                continue
            del self._joins_again[port]
            text = f"what arrives at port {port} is joined again"
            orders += [JoinAt(port, True), Tell(INFO, text)]
        return orders
