"""What an endpoint does with its flows and packets when a router fails, is useless or leaves."""

from __future__ import annotations

import pytest

from nrs.endpoint.liveness import State
from nrs.endpoint.tunnel import REKEY_S
from nrs.tunnel import keys, wire
from nrs.tunnel.control import Control
from nrs.tunnel.drop import Drop
from nrs.tunnel.handshake import proves
from nrs.tunnel.inner import flow_key
from nrs.tunnel.orders import SendControl
from nrs.tunnel.wire import Hello, Probe, ProbeAck, RouterFlag, Type
from tests.endpoint.fakes import OLD, Endpoint

PSK = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
ADDRESSES = bytes((10, 10, 100, 1)) + bytes((198, 51, 100, 10))
UDP_FLOW = b"\x11" + ADDRESSES + b"\x10\x00\x00\x07"
UDP_LATER = b"\x11" + ADDRESSES + b"\x10\x01\x00\x07"
TCP_FLOW = b"\x06" + ADDRESSES + b"\x10\x00\x00\x50"
ACK = 0x10
SENT = [bytes((number,)) for number in range(8)]
STEP_S = 0.005


@pytest.fixture
def endpoint() -> Endpoint:
    """An endpoint that sends through r1, with r2 standing by."""
    made = Endpoint(("r1", "r2"), psk=PSK)
    for hello, router_id in zip(list(made.hellos), ("r1", "r2"), strict=True):
        assert made.answer({0: OLD}, router_id, hello) is None
    made.wait(2.0)
    assert made.machine.active == "r1"
    send(made)
    made.wait(1.0, STEP_S)
    return made


def send(endpoint: Endpoint, flow: bytes = UDP_FLOW) -> int:
    """A packet of a flow comes along; the session that it takes."""
    index = endpoint.machine.select(flow, ACK if flow[0] == 6 else 0, endpoint.now)
    assert index in endpoint.sessions
    return index


def keep(endpoint: Endpoint, sequence: int, frame: bytes, router_id: str = "r1") -> None:
    """The engine has sent `frame` to a router."""
    sent = endpoint.sessions[endpoint.session_of(router_id)].sent
    assert sent is not None
    sent.keep(sequence, [frame], endpoint.now)


def busy(endpoint: Endpoint, seconds: float) -> None:
    """Time passes while packets flow."""
    until = endpoint.now + seconds
    while endpoint.now < until:
        send(endpoint)
        endpoint.wait(STEP_S, STEP_S)


def test_a_silent_router_is_left_within_50_ms_and_what_it_did_not_acknowledge_is_sent_again(
    endpoint: Endpoint,
) -> None:
    endpoint.hear("r1", highest=500)
    endpoint.silent.add("r1")
    keep(endpoint, 500, b"arrived")
    keep(endpoint, 501, b"lost")
    endpoint.machine.tunnels["r1"].ring.acknowledged(500, 500, endpoint.now)
    cut = endpoint.now
    busy(endpoint, 0.050)
    assert endpoint.machine.active == "r2"
    assert send(endpoint) == endpoint.session_of("r2")
    assert endpoint.again == [(endpoint.session_of("r2"), [b"lost"])]
    switch = endpoint.machine.switches.last()[-1]
    assert (switch.before, switch.after, switch.cause) == ("r1", "r2", "r1 does not answer")
    assert (switch.resent, switch.flows_moved) == (1, 1)
    assert switch.gap_ms is not None
    assert 30 <= switch.gap_ms <= (endpoint.now - cut) * 1000 + 10
    left = next(e for e in switch.evidence if e.router_id == "r1")
    assert left.state == "suspect"
    assert left.unanswered >= 3
    assert left.silent_ms is not None
    assert left.silent_ms >= 40


def test_an_acknowledged_packet_is_not_sent_again(endpoint: Endpoint) -> None:
    keep(endpoint, 7, b"arrived")
    endpoint.hear("r1", highest=7, received=7)
    endpoint.silent.add("r1")
    busy(endpoint, 0.060)
    assert endpoint.machine.active == "r2"
    assert endpoint.again == []


def test_connections_are_asked_where_they_stand_when_their_router_fails_and_only_then(
    endpoint: Endpoint,
) -> None:
    send(endpoint, TCP_FLOW)
    endpoint.advise("r2")
    assert endpoint.machine.active == "r2"
    assert endpoint.delivered == []
    endpoint.silent.add("r1")
    busy(endpoint, 0.060)
    (asked,) = endpoint.delivered
    assert flow_key(asked) == b"\x06" + ADDRESSES[4:] + ADDRESSES[:4] + b"\x00\x50\x10\x00"
    assert send(endpoint, TCP_FLOW) == endpoint.session_of("r2")


@pytest.mark.parametrize(
    ("flags", "again"),
    [
        (RouterFlag.EGRESS_DOWN, [SENT[4], SENT[5], SENT[6]]),
        (RouterFlag.EGRESS_DOWN | RouterFlag.DRAINING, [SENT[6]]),
        (None, [SENT[6]]),
    ],
)
def test_what_a_router_without_a_way_on_has_not_confirmed_is_sent_again(
    endpoint: Endpoint, flags: RouterFlag | None, again: list[bytes]
) -> None:
    for number in (3, 4, 5):
        keep(endpoint, number, SENT[number])
    endpoint.hear("r1", highest=5, received=5, confirmed=3)
    keep(endpoint, 6, SENT[6])
    if flags is None:
        endpoint.silent.add("r1")
        busy(endpoint, 0.060)
    else:
        endpoint.flags["r1"] = flags
        endpoint.hear("r1", Type.ROLE)
    assert endpoint.machine.active == "r2"
    assert endpoint.again == [(endpoint.session_of("r2"), again)]


@pytest.mark.parametrize("kind", [Type.PROBE_ACK, Type.ROLE])
def test_a_router_without_a_way_on_is_left_at_once(endpoint: Endpoint, kind: Type) -> None:
    keep(endpoint, 9, b"for nothing")
    endpoint.flags["r1"] = RouterFlag.EGRESS_DOWN
    endpoint.hear("r1", kind, **({"highest": 9} if kind is Type.PROBE_ACK else {}))
    assert endpoint.machine.active == "r2"
    assert send(endpoint) == endpoint.session_of("r2")
    assert endpoint.again == [(endpoint.session_of("r2"), [b"for nothing"])]
    assert endpoint.machine.switches.last()[-1].cause == "r1 has no way on: its egress is down"


def test_a_useless_router_that_brought_nothing_leaves_no_gap_of_years(endpoint: Endpoint) -> None:
    endpoint.flags["r1"] = RouterFlag.EGRESS_DOWN
    endpoint.hear("r1")
    busy(endpoint, 0.020)
    gap_ms = endpoint.machine.switches.last()[-1].gap_ms
    assert gap_ms is not None
    assert 0 <= gap_ms <= 20


def test_what_a_router_said_before_is_not_believed_when_it_comes_later(
    endpoint: Endpoint,
) -> None:
    endpoint.flags["r1"] = RouterFlag.EGRESS_DOWN
    late = endpoint._sequence
    endpoint.hear("r1", Type.ROLE)
    assert endpoint.machine.active == "r2"
    endpoint._sequence = late - 1
    endpoint.flags["r1"] = RouterFlag(0)
    endpoint.hear("r1")
    assert endpoint.machine.tunnels["r1"].flags == RouterFlag.EGRESS_DOWN


def test_both_without_a_way_on_nothing_moves(endpoint: Endpoint) -> None:
    endpoint.flags = {"r1": RouterFlag.EGRESS_DOWN, "r2": RouterFlag.EGRESS_DOWN}
    endpoint.hear("r2")
    endpoint.hear("r1")
    busy(endpoint, 0.2)
    assert endpoint.machine.active == "r1"
    endpoint.flags["r2"] = RouterFlag(0)
    busy(endpoint, 0.05)
    assert endpoint.machine.active == "r2"


def test_new_flows_leave_a_router_that_drains_and_old_ones_stay(endpoint: Endpoint) -> None:
    keep(endpoint, 9, b"on its way")
    endpoint.flags["r1"] = RouterFlag.DRAINING
    endpoint.hear("r1", Type.ROLE)
    assert endpoint.machine.active == "r2"
    assert send(endpoint, UDP_FLOW) == endpoint.session_of("r1")
    assert send(endpoint, UDP_LATER) == endpoint.session_of("r2")
    busy(endpoint, 1.0)
    assert endpoint.again == []
    assert send(endpoint, UDP_FLOW) == endpoint.session_of("r1")
    endpoint.advise("r1")
    assert endpoint.machine.active == "r2"
    endpoint.flags["r1"] = RouterFlag(0)
    busy(endpoint, 0.1)
    assert endpoint.machine.active == "r1"


def test_a_router_that_is_drained_gives_up_its_flows_and_is_as_good_as_before_afterwards(
    endpoint: Endpoint,
) -> None:
    send(endpoint, TCP_FLOW)
    endpoint.flags["r1"] = RouterFlag.DRAINING
    endpoint.hear("r1", Type.ROLE)
    busy(endpoint, 0.1)
    assert send(endpoint, TCP_FLOW) == endpoint.session_of("r1")
    endpoint.flags["r1"] |= RouterFlag.EGRESS_DOWN
    endpoint.hear("r1", Type.ROLE)
    for flow in (UDP_FLOW, TCP_FLOW):
        assert send(endpoint, flow) == endpoint.session_of("r2")
    assert len(endpoint.delivered) == 1
    endpoint.flags["r1"] = RouterFlag(0)
    endpoint.hear("r1", Type.ROLE)
    endpoint.advise("r1")
    assert endpoint.machine.active == "r1"


def test_a_router_that_restarts_keeps_its_flows_while_it_is_silent(endpoint: Endpoint) -> None:
    endpoint.flags["r1"] = RouterFlag.RESTARTING
    endpoint.hear("r1", Type.ROLE)
    endpoint.silent.add("r1")
    for _ in range(200):
        assert send(endpoint, UDP_FLOW) == endpoint.session_of("r1")
        endpoint.wait(0.01, STEP_S)
    assert send(endpoint, UDP_LATER) == endpoint.session_of("r2")
    # It does not come back.
    busy(endpoint, 1.2)
    assert endpoint.machine.tunnels["r1"].liveness.state is State.SUSPECT
    assert send(endpoint, UDP_FLOW) == endpoint.session_of("r2")


def test_with_both_silent_the_first_to_answer_wins(endpoint: Endpoint) -> None:
    endpoint.silent |= {"r1", "r2"}
    busy(endpoint, 0.050)
    assert endpoint.machine.active == "r2"
    keep(endpoint, 3, b"into the void", "r2")
    endpoint.silent.remove("r1")
    endpoint.hear("r1")
    assert endpoint.machine.tunnels["r2"].liveness.state is State.UP
    assert endpoint.machine.active == "r1"
    assert send(endpoint) == endpoint.session_of("r1")
    assert (endpoint.session_of("r1"), [b"into the void"]) in endpoint.again
    assert endpoint.machine.switches.last()[-1].cause == "r1 answered before r2 did"


def test_a_router_in_question_is_asked_often_while_packets_flow(endpoint: Endpoint) -> None:
    """So that it is known when it is well again."""
    endpoint.flags["r1"] = RouterFlag.EGRESS_DOWN
    endpoint.hear("r1")
    busy(endpoint, 2.0)
    endpoint.said.clear()
    busy(endpoint, 1.0)
    assert endpoint.said.count((endpoint.session_of("r1"), Type.PROBE)) > 50


def test_loss_that_stays_moves_all_but_tcp(endpoint: Endpoint) -> None:
    send(endpoint, TCP_FLOW)
    endpoint.losses = {"r1": (0.2, 0.0), "r2": (0.0, 0.0)}
    busy(endpoint, 5.0)
    assert endpoint.machine.active == "r2"
    assert send(endpoint, UDP_FLOW) == endpoint.session_of("r2")
    assert send(endpoint, TCP_FLOW) == endpoint.session_of("r1")
    switch = endpoint.machine.switches.last()[-1]
    assert switch.cause == "r1 loses or delays too much"
    assert next(e.loss for e in switch.evidence if e.router_id == "r1") == pytest.approx(0.2, 0.1)


@pytest.mark.parametrize("other", [None, (0.0, 0.18), (0.17, 0.0), (0.3, 0.0)])
def test_loss_is_borne_where_the_other_one_loses_as_much_or_is_not_known(
    endpoint: Endpoint, other: tuple[float, float] | None
) -> None:
    """Either way: what counts is the worse one of each path."""
    endpoint.losses = {"r1": (0.2, 0.0), **({} if other is None else {"r2": other})}
    busy(endpoint, 10.0)
    assert endpoint.machine.active == "r1"
    assert len(endpoint.machine.switches.last()) == 1
    endpoint.losses["r2"] = (0.0, 0.0)
    busy(endpoint, 14.0)
    assert endpoint.machine.active == "r2"


def test_the_other_one_is_measured_while_the_one_in_use_loses(endpoint: Endpoint) -> None:
    endpoint.losses = {"r1": (0.02, 0.0)}
    busy(endpoint, 3.0)
    endpoint.said.clear()
    busy(endpoint, 1.0)
    probe = endpoint.session_of("r2"), Type.PROBE
    assert endpoint.said.count(probe) <= 1, "a little is nothing to ask about"
    endpoint.losses = {"r1": (0.2, 0.0)}
    busy(endpoint, 2.0)
    endpoint.said.clear()
    busy(endpoint, 1.0)
    assert endpoint.said.count(probe) > 50


@pytest.mark.parametrize(("second", "moves"), [(0.6, False), (0.5, False), (0.02, True)])
def test_a_satellite_is_left_for_something_quicker_alone(second: float, *, moves: bool) -> None:
    endpoint = Endpoint(("r1", "r2"), psk=PSK)
    endpoint.delays = {"r1": 0.62, "r2": second}
    endpoint.losses = {"r1": (0.0, 0.0), "r2": (0.0, 0.0)}
    for hello, router_id in zip(list(endpoint.hellos), ("r1", "r2"), strict=True):
        assert endpoint.answer({0: OLD}, router_id, hello) is None
    endpoint.wait(2.0)
    endpoint.advise("r1")
    assert endpoint.machine.active == "r1"
    before = len(endpoint.machine.switches.last())
    busy(endpoint, 15.0)
    assert endpoint.machine.active == ("r2" if moves else "r1")
    assert len(endpoint.machine.switches.last()) - before == moves


def test_a_planned_move_has_no_gap(endpoint: Endpoint) -> None:
    endpoint.advise("r2")
    switch = endpoint.machine.switches.last()[-1]
    assert (switch.after, switch.gap_ms, switch.resent) == ("r2", 0.0, 0)


# -- a router that asks whether a session is in use


def ask(endpoint: Endpoint, index: int) -> list[SendControl]:
    """What the endpoint says to a router's PROBE in this session."""
    control = Control(Type.PROBE, 0, 0, 100, 4711, Probe(5, 0).encode())
    orders = endpoint.machine.handle_control(index, control, 100, 99, endpoint.now)
    return [order for order in orders if isinstance(order, SendControl)]


def test_a_router_that_asks_is_answered_in_the_session_in_use() -> None:
    endpoint = Endpoint(psk=PSK)
    assert endpoint.answer({0: OLD}) is None
    before = endpoint.session
    (answer,) = ask(endpoint, before)
    assert (answer.index, answer.kind, answer.specific) == (before, Type.PROBE_ACK, 4711)
    ack = ProbeAck.decode(answer.body)
    assert (ack.timestamp_us, ack.highest, ack.received, ack.confirmed) == (5, 100, 99, 100)
    endpoint.wait(REKEY_S + 1.0)
    assert endpoint.answer({0: OLD}) is None
    assert endpoint.session != before
    assert ask(endpoint, before) == [], "the session before it is not in use"
    assert len(ask(endpoint, endpoint.session)) == 1


def test_a_question_that_makes_no_sense(endpoint: Endpoint) -> None:
    control = Control(Type.PROBE, 0, 0, 100, 4711, b"?")
    with pytest.raises(wire.Malformed):
        endpoint.machine.handle_control(endpoint.session, control, 0, 0, endpoint.now)


def test_a_hello_proves_the_session_that_the_endpoint_has(endpoint: Endpoint) -> None:
    secrets = endpoint.sessions[endpoint.session].record.secrets
    key = keys.succession_key(secrets.send_key, secrets.receive_key)
    endpoint.hellos.clear()
    endpoint.silent.add("r1")
    busy(endpoint, 2.0)
    suspect = [Hello.decode(datagram[20:-32]) for datagram in endpoint.hellos]
    assert suspect
    assert all(proves(hello, key) for hello in suspect)
    endpoint.hear("r1", Type.BYE)
    endpoint.hellos.clear()
    endpoint.wait(10.0)
    assert Hello.decode(endpoint.hellos[-1][20:-32]).proof == bytes(32), "it has none any more"


# -- a router that knows no session


def no_session(endpoint: Endpoint, *, index: int = 99, sequence: int = 0) -> Drop | None:
    datagram = wire.HEADER.pack(wire.first_byte(Type.PROBE), 0, 0, 0, index, sequence, 0) + bytes(
        56
    )
    return endpoint.handshake(Type.NO_SESSION, wire.no_session(datagram))


def test_a_router_that_knows_no_session_gets_a_hello_and_the_session_stays(
    endpoint: Endpoint,
) -> None:
    session, before = endpoint.session, len(endpoint.hellos)
    assert no_session(endpoint) is None
    assert len(endpoint.hellos) == before + 1
    assert endpoint.session == session
    assert endpoint.machine.tunnels["r1"].liveness.state is State.UP
    assert endpoint.answer({0: OLD}) is None
    assert endpoint.session != session


def test_strangers_that_say_so_cost_one_hello_a_second(endpoint: Endpoint) -> None:
    before = len(endpoint.hellos)
    for _ in range(1000):
        no_session(endpoint)
        endpoint.now += 0.003
    assert len(endpoint.hellos) - before <= 4


@pytest.mark.parametrize("told", [{"index": 98}, {"sequence": 10**6}])
def test_who_does_not_know_what_was_sent_is_not_believed(
    endpoint: Endpoint, told: dict[str, int]
) -> None:
    before = len(endpoint.hellos)
    assert no_session(endpoint, **told) is Drop.NO_SESSION
    assert len(endpoint.hellos) == before


def test_nobody_is_judged_before_all_that_has_arrived_is_read(endpoint: Endpoint) -> None:
    endpoint.silent.add("r1")
    busy(endpoint, 0.035)
    assert endpoint.machine.condemned(endpoint.now) == []
    endpoint.now += 0.010
    assert endpoint.machine.condemned(endpoint.now) == ["r1"]
    # What another socket brings is no time to judge, whatever it changes.
    endpoint.flags["r2"] = RouterFlag.DRAINING
    endpoint.hear("r2", Type.ROLE)
    endpoint.advise("r1")
    assert endpoint.machine.active == "r1"
    endpoint.machine.handle_unread("r1", endpoint.now)
    assert endpoint.machine.condemned(endpoint.now) == []
    endpoint.hear("r1")
    busy(endpoint, 0.010)
    assert endpoint.machine.tunnels["r1"].liveness.failures == 0


def test_what_the_endpoint_waits_for_a_processor_is_not_the_routers_silence(
    endpoint: Endpoint,
) -> None:
    endpoint.silent.add("r1")
    for _ in range(6):
        endpoint.machine.handle_wait(0.005)
        busy(endpoint, 0.010)
    assert endpoint.machine.active == "r1"
    busy(endpoint, 0.040)
    assert endpoint.machine.active == "r2"
