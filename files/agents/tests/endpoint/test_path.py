"""What a tunnel makes of what its path carries: limits, what the router is told, and loss."""

from __future__ import annotations

import pytest

from nrs.endpoint.path_mtu import BASE, State
from nrs.tunnel import wire
from nrs.tunnel.control import Control
from nrs.tunnel.orders import LimitDatagrams, SendControl, SendTrain
from nrs.tunnel.wire import HEADERS4, Group, Member, Probe, ProbeAck, RouterFlag, Type
from tests.endpoint.fakes import OLD, Endpoint
from tests.endpoint.test_machine import PSK, send

STEP_S = 0.005


class Answering(Endpoint):
    """An endpoint whose path is known: of `carries` bytes, losing `every`-th datagram each way."""

    def __init__(self, carries: int = 1500) -> None:
        self.carries = carries
        self.every = 0
        self.cut = 0
        """So many of the datagrams of a train are lost each way."""
        self.trials: set[int] = set()
        self.orders: list[SendControl | SendTrain] = []
        self.highest = self.received = self.path_probes = 0
        self.back_highest = self.back_received = 0
        super().__init__(("r1", "r2"), psk=PSK)
        for hello, router_id in zip(list(self.hellos), ("r1", "r2"), strict=True):
            assert self.answer({0: OLD}, router_id, hello) is None

    def do(self, orders: object) -> object:
        kept = list(orders)  # type: ignore[call-overload]
        self.orders += [o for o in kept if isinstance(o, SendControl | SendTrain)]
        return super().do(kept)

    def run(self, seconds: float) -> None:
        """Packets flow through r1, and its router answers at once."""
        until = self.now + seconds
        while self.now < until:
            self.now += STEP_S
            send(self)
            self.serve()
            sent, self.orders = self.orders, []
            for order in sent:
                members = order.datagrams if isinstance(order, SendTrain) else (order,)
                whole = len(members) - self.cut if isinstance(order, SendTrain) else 1
                for number, one in enumerate(members):
                    if one.index == self.machine.tunnels["r1"].index:
                        self._arrives(one, lost=number >= whole)

    def announce_restart(self) -> None:
        """The router says that it is silent for a moment, and is."""
        self.back_highest += 1
        flags = RouterFlag.RESTARTING
        told = Control(Type.ROLE, flags, 0, self.back_highest, 0, b"")
        self.do(self.machine.handle_control(self.session_of("r1"), told, 0, 0, self.now))
        self.every = 1

    def _arrives(self, order: SendControl, *, lost: bool) -> None:
        length = wire.OVERHEAD + len(order.body)
        self.highest += 1
        if lost or length + HEADERS4 > self.carries or self._is_lost(self.highest):
            return
        self.received += 1
        if order.kind is Type.PATH_PROBE:
            self.path_probes += 1
            self._answer(Type.PATH_ACK, order.specific, wire.encode_path_ack(length))
        elif order.kind is Type.PROBE:
            stamp = Probe.decode(order.body).timestamp_us
            ack = ProbeAck(stamp, self.highest, self.received, self.highest, self.path_probes)
            self._answer(Type.PROBE_ACK, order.specific, ack.encode())

        elif order.kind is Type.TRAIN:
            self._answer(Type.TRAIN_ACK, order.specific, b"", flags=order.flags)
            member = Member.decode(order.specific)
            if member.trial not in self.trials:
                self.trials.add(member.trial)
                for group in Group:
                    for number in range(member.count):
                        specific = Member(member.trial, number, member.count).encode()
                        lost = group is Group.TRAIN and number >= member.count - self.cut
                        self._answer(Type.TRAIN, specific, b"", flags=group, lost=lost)

    def _answer(
        self, kind: Type, specific: int, body: bytes, *, flags: int = 0, lost: bool = False
    ) -> None:
        self.back_highest += 1
        if lost or self._is_lost(self.back_highest):
            return
        self.back_received += 1
        control = Control(kind, flags, 0, self.back_highest, specific, body)
        orders = self.machine.handle_control(
            self.session_of("r1"), control, self.back_highest, self.back_received, self.now
        )
        self.do(orders)

    def _is_lost(self, number: int) -> bool:
        return bool(self.every) and number % self.every == 0

    @property
    def limit(self) -> LimitDatagrams:
        return self.limits[self.session_of("r1")]

    @property
    def loss(self) -> float | None:
        tunnel = self.tunnel
        return tunnel.evidence(tunnel.view(self.now), self.now).loss


def test_a_session_begins_with_what_is_safe_and_goes_by_what_is_found() -> None:
    endpoint = Answering(1400)
    assert endpoint.limit == LimitDatagrams(endpoint.session, BASE - HEADERS4, settled=False)
    endpoint.run(1.0)
    assert endpoint.tunnel.carrying.mtu.state is State.COMPLETE
    assert endpoint.limit == LimitDatagrams(endpoint.session, 1400 - HEADERS4, settled=True)
    assert "the path to r1 carries packets of 1400 bytes" in [text for _, text in endpoint.told]


def test_a_router_is_told_at_once_and_with_every_probe() -> None:
    endpoint = Answering(1400)
    endpoint.run(1.0)
    endpoint.now += STEP_S
    endpoint.orders = []
    endpoint.serve()
    endpoint.now += 0.010
    endpoint.serve()
    probe = next(order for order in endpoint.orders if order.kind is Type.PROBE)
    assert Probe.decode(probe.body).longest == 1400 - HEADERS4
    assert probe.flags == wire.ACTIVE | wire.SETTLED


@pytest.mark.parametrize("carries", [1280, 1400, 1500, 9000])
def test_lost_path_probes_are_no_loss_and_no_silence(carries: int) -> None:
    endpoint = Answering(carries)
    for _ in range(60):
        endpoint.run(0.25)
        assert endpoint.loss in {None, 0.0}
        assert endpoint.tunnel.liveness.failures == 0
    assert endpoint.loss == 0.0
    assert not endpoint.machine.tunnels["r1"].in_question


def test_what_a_trial_of_trains_loses_is_no_loss_and_no_silence() -> None:
    endpoint = Answering()
    endpoint.cut = 5
    for _ in range(40):
        endpoint.run(0.25)
        assert endpoint.loss in {None, 0.0}
        assert endpoint.tunnel.liveness.failures == 0
    assert list(endpoint.tunnel.carrying.trains.lost()) == [
        "trains that are sent to it",
        "trains that it sends",
    ]
    assert endpoint.loss == 0.0


def test_loss_is_seen_beside_trials_that_never_end() -> None:
    endpoint = Answering()
    endpoint.run(2.0)
    endpoint.every = 2
    for _ in range(3):
        endpoint.run(2.0)
        assert endpoint.loss == pytest.approx(0.5, abs=0.1)
    assert len(endpoint.trials) > 5


def test_loss_is_seen_all_the_same() -> None:
    endpoint = Answering(1400)
    endpoint.run(2.0)
    endpoint.every = 10
    endpoint.run(3.0)
    assert endpoint.loss == pytest.approx(0.1, abs=0.03)


def test_what_was_on_its_way_to_another_router_is_not_refused() -> None:
    endpoint = Answering(1500)
    endpoint.run(1.0)
    other = endpoint.machine.tunnels["r2"].carrying.mtu
    other.state, other.size = State.COMPLETE, 1400
    endpoint.serve()
    assert endpoint.limits[endpoint.session_of("r2")].settled
    endpoint.advise("r2")
    assert endpoint.machine.active == "r2"
    assert endpoint.limits[endpoint.session_of("r2")] == LimitDatagrams(
        endpoint.session_of("r2"), 1400 - HEADERS4, settled=False
    )
    for _ in range(21):
        endpoint.now += 0.05
        endpoint.hear("r2")
        endpoint.serve()
    assert endpoint.limits[endpoint.session_of("r2")].settled


def test_a_router_that_restarts_leaves_its_path_as_it_was() -> None:
    endpoint = Answering(1400)
    endpoint.run(1.0)
    known = endpoint.limit.longest
    endpoint.announce_restart()
    endpoint.run(2.0)
    assert endpoint.limit.longest == known
    endpoint.every = 0
    endpoint.carries = 1300
    endpoint.run(1.0)
    assert endpoint.limit.longest == 1300 - HEADERS4


def test_a_new_session_of_the_same_path_needs_no_search() -> None:
    endpoint = Answering(1400)
    endpoint.run(1.0)
    endpoint.do(endpoint.tunnel._hello(endpoint.now))
    before = endpoint.session
    assert endpoint.answer({0: OLD}) is None
    assert endpoint.session != before
    assert endpoint.limit == LimitDatagrams(endpoint.session, 1400 - HEADERS4, settled=True)


def test_another_socket_may_be_another_path() -> None:
    endpoint = Answering(1400)
    endpoint.run(1.0)
    endpoint.machine.handle_connected("r1", 4, again=True)
    endpoint.serve()
    assert endpoint.limit == LimitDatagrams(endpoint.session, BASE - HEADERS4, settled=False)


def test_what_the_host_cannot_send_is_known_to_be_too_long() -> None:
    endpoint = Answering(1400)
    endpoint.orders = []
    for order in endpoint.machine.due(endpoint.now):
        if isinstance(order, SendControl) and order.kind is Type.PATH_PROBE:
            assert order.whole
            if len(order.body) > 2000:
                endpoint.machine.handle_too_long(order.index, order.specific)
    endpoint.machine.handle_too_long(12345, 1)  # of a session that has ended meanwhile


def test_a_path_answer_that_is_cut_off_makes_no_sense() -> None:
    endpoint = Answering()
    body = wire.encode_path_ack(1232)[:-1]
    with pytest.raises(wire.Malformed):
        endpoint.machine.handle_control(
            endpoint.session, Control(Type.PATH_ACK, 0, 0, 1, 1, body), 0, 0, endpoint.now
        )
