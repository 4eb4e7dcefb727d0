"""What a router orders for what endpoints do, and for what becomes of itself."""

from __future__ import annotations

import ipaddress
import logging
import os

import pytest

from nrs.router.claims import Host
from nrs.router.delivery import Echoes
from nrs.router.drain import Phase
from nrs.router.orders import Announce, Order, Report
from nrs.router.service import Service
from nrs.router.session_table import DEAD_S, FORGOTTEN_S, OLDEST_S, PENDING_S
from nrs.tunnel import wire
from nrs.tunnel.drop import Drop
from nrs.tunnel.handshake import ClaimRefused, Initiator, StaticKey
from nrs.tunnel.orders import LimitDatagrams, NoteSession, SendControl, Tell
from nrs.tunnel.wire import Claim, Objection, Probe, ProbeAck, RouterFlag, Type
from tests.router.driven import CLAIM, ELSEWHERE, WALL, Router, believed, config, peer, shared

PROBE = Probe(12345, 1452).encode()
OUTSIDE = frozenset(ELSEWHERE.networks)


@pytest.fixture
def router() -> Router:
    return Router()


def last_ack(router: Router) -> tuple[int, ProbeAck, int]:
    """The session, body and flags of the last PROBE_ACK."""
    sent = router.said[-1]
    assert sent.kind is Type.PROBE_ACK
    return sent.index, ProbeAck.decode(sent.body), sent.flags


# -- handshakes


def test_a_repeated_hello_gets_the_same_answer_and_no_session(router: Router) -> None:
    believed(router.machine, CLAIM)
    hello = Initiator(shared(), CLAIM, 7, os.urandom, 1).hello()
    for _ in range(3):
        assert router.hear_hello(hello, peer(1)) is None
    assert len(router.sessions) == 1
    assert len(router.answers) == 3
    assert len(set(router.answers)) == 1


def test_a_device_may_say_hello_five_times_at_once(router: Router) -> None:
    believed(router.machine, CLAIM)
    hellos = [Initiator(shared(), CLAIM, 7, os.urandom, 1 + n).hello() for n in range(8)]
    said = [router.hear_hello(hello, peer(n)) for n, hello in enumerate(hellos[:7])]
    assert said == [None] * 5 + [Drop.RATE] * 2
    assert router.hello(shared(), ELSEWHERE) is None
    router.now += 0.06
    assert router.hear_hello(hellos[-1], peer(1)) is None, "20 a second"


def test_replays_take_nothing_of_a_device(router: Router) -> None:
    believed(router.machine, CLAIM)
    hellos = [Initiator(shared(), CLAIM, 7, os.urandom, 1 + n).hello() for n in range(12)]
    for hello in hellos[:11]:
        assert router.hear_hello(hello, peer(1)) is None
        router.now += 1.0
    made = len(router.opened)
    for _ in range(100):
        for hello in hellos[:11]:
            router.hear_hello(hello, peer(1))
    assert len(router.opened) == made
    assert router.hear_hello(hellos[-1], peer(1)) is None
    assert len(router.opened) == made + 1


def test_hellos_without_the_key_take_nothing_of_a_device(router: Router) -> None:
    forged = Initiator(StaticKey(os.urandom(32)), CLAIM, 7, os.urandom).hello()
    assert {router.hear_hello(forged, peer(1)) for _ in range(1000)} == {Drop.TAG}
    assert router.hello(shared()) is None


def test_a_claim_outside_of_the_networks_is_refused_and_told_once_a_second() -> None:
    router = Router(config(endpoint_networks=["10.10.0.0/16", "fd00::/8"]))
    for now in (1000.0, 1000.5, 1001.0):
        router.now = now
        assert router.hello(shared(), ELSEWHERE) is Drop.SOURCE
    assert router.sessions == {}
    assert [told.level for told in router.told] == [logging.WARNING] * 2
    assert "10.20.0.2 is outside of tunnel.endpoint_networks" in router.told[0].text


def test_indices_are_neither_zero_nor_taken() -> None:
    indices = iter([0, 5, 5, 0, 6])
    router = Router(
        random=lambda size: next(indices).to_bytes(4, "big") if size == 4 else os.urandom(size)
    )
    assert [router.offered(shared()) for _ in range(2)] == [5, 6]


def test_a_fifth_offer_closes_the_oldest(router: Router) -> None:
    offered = [router.offered(shared()) for _ in range(5)]
    assert list(router.sessions) == offered[1:]


def test_the_first_confirmation_is_told_and_noted(router: Router) -> None:
    first = router.open(shared())
    assert router.noted == [NoteSession(first, False, WALL)]
    assert [told.text for told in router.told] == [
        "tunnel to endpoint_1 is up (10.10.100.1, from [2001:db8:1::1]:5)"
    ]
    second = router.open(shared())
    assert router.selected() == second
    assert len(router.told) == 1, "a renewal is nothing new"


def test_who_asks_for_no_session_is_told_so_five_times_a_second(router: Router) -> None:
    data = bytes(64)
    for number in range(20):
        router.take(router.machine.handle_unknown(data, peer(1), 0.0))
        assert len(router.answers) == min(number + 1, 5)
    assert set(router.answers) == {wire.no_session(data)}


# -- control datagrams


def test_a_probe_is_answered_with_what_has_come(router: Router) -> None:
    session = router.open(shared())
    router.control(session, Type.PROBE, body=PROBE, highest=17)
    index, ack, flags = last_ack(router)
    assert (index, flags) == (session, 0)
    assert (ack.timestamp_us, ack.highest, ack.received, ack.confirmed) == (12345, 17, 17, 17)


def test_a_path_probe_is_answered_with_as_many_bytes(router: Router) -> None:
    session = router.open(shared())
    for count, length in enumerate((54, 1232, 8972), 1):
        router.control(session, Type.PATH_PROBE, count, body=wire.encode_path_probe(length))
        answer = router.said[-1]
        assert (answer.index, answer.kind, answer.whole) == (session, Type.PATH_ACK, True)
        assert wire.decode_path_ack(answer.body) == length
        router.control(session, Type.PROBE, count, body=PROBE)
        assert last_ack(router)[1].path_probes == count
    with pytest.raises(wire.Malformed):
        router.control(session, Type.PATH_PROBE, body=b"")
    older, session = session, router.open(shared())
    router.control(older, Type.PATH_PROBE, body=bytes(100))
    assert router.said[-1].kind is Type.PATH_ACK
    router.control(session, Type.PROBE, body=PROBE)
    assert last_ack(router)[1].path_probes == 0, "another session's"


def test_a_router_sends_what_the_newest_probe_says_that_the_path_takes(router: Router) -> None:
    session = router.open(shared())

    def said(longest: int, sequence: int, flags: int = 0) -> LimitDatagrams | None:
        router.limits.clear()
        body = Probe(1, longest).encode()
        router.control(session, Type.PROBE, sequence, body=body, flags=flags)
        return router.limits.get(session)

    assert said(1232, 1) == LimitDatagrams(session, 1232, settled=False)
    assert said(1232, 2) is None, "nothing new"
    assert said(1352, 5, wire.SETTLED) == LimitDatagrams(session, 1352, settled=True)
    assert said(1232, 4) is None, "it was overtaken"
    assert said(1352, 6) == LimitDatagrams(session, 1352, settled=False)
    older, session = session, router.open(shared())
    assert said(1352, 1) == LimitDatagrams(session, 1352, settled=False)
    router.limits.clear()
    router.control(older, Type.PROBE, 9, body=Probe(1, 2000).encode())
    assert router.limits == {}, "what went before the current session says nothing"


def test_what_is_confirmed_waits_for_the_business_server(router: Router) -> None:
    session = router.open(shared())

    def confirmed(highest: int, echoes: Echoes) -> int:
        router.take(router.machine.handle_service(Service(echoes=echoes)))
        router.control(session, Type.PROBE, body=PROBE, highest=highest)
        return last_ack(router)[1].confirmed

    assert confirmed(10, Echoes(4, 4)) == 0
    assert confirmed(20, Echoes(5, 4)) == 0
    assert confirmed(30, Echoes(5, 5)) == 10
    older, session = session, router.open(shared())
    assert confirmed(5, Echoes(6, 6)) == 0, "another session's numbers"
    router.control(older, Type.PROBE, body=PROBE, highest=50)
    assert last_ack(router)[1].confirmed == 0
    assert confirmed(8, Echoes(7, 7)) == 5


def test_a_probe_that_makes_no_sense_changes_nothing(router: Router) -> None:
    session = router.open(shared())
    with pytest.raises(wire.Malformed):
        router.control(session, Type.PROBE, flags=wire.ACTIVE, body=b"?")
    (device,) = router.machine.devices
    assert not device.active


@pytest.mark.parametrize("kind", [Type.PROBE, Type.ROLE])
def test_the_latest_role_counts_and_is_noted_when_it_changes(router: Router, kind: Type) -> None:
    session = router.open(shared())
    (device,) = router.machine.devices
    del router.noted[:]
    for sequence, flags, active in ((5, wire.ACTIVE, True), (4, 0, True), (6, wire.ACTIVE, True)):
        router.control(session, kind, sequence, flags=flags, body=PROBE)
        assert device.active is active
    router.control(session, kind, 7, body=PROBE)
    assert not device.active
    assert router.noted == [NoteSession(session, True, WALL), NoteSession(session, False, WALL)]


def test_only_the_current_session_tells_of_roles_and_ends_the_tunnel(router: Router) -> None:
    older, session = router.open(shared()), router.open(shared())
    (device,) = router.machine.devices
    router.control(older, Type.ROLE, 9, flags=wire.ACTIVE)
    router.control(older, Type.BYE)
    assert not device.active
    assert router.selected() == session
    router.control(session, Type.BYE)
    assert (router.selected(), router.sessions) == (0, {})
    router.control(session, Type.PROBE, body=PROBE)  # it was in the same train
    assert router.said == []


# -- routes


def test_addresses_outside_of_the_routers_network_are_routed_while_they_are_used(
    router: Router,
) -> None:
    router.open(shared())
    assert router.routes == set()
    offered = router.offered(shared(), ELSEWHERE)
    assert router.routes == set()
    router.confirm(offered)
    assert router.routes == OUTSIDE
    renewed = router.open(shared(), ELSEWHERE)
    assert router.routes == OUTSIDE
    router.control(renewed, Type.BYE)
    assert router.routes == set()


def test_an_address_that_another_one_has_taken_over_stays_routed(router: Router) -> None:
    other = Claim("other", ELSEWHERE.tun_ipv4, ipaddress.IPv6Address("fd00:20::3"))
    loser, winner = router.open(shared(), ELSEWHERE), router.open(shared(), other)
    router.control(loser, Type.BYE)
    assert router.routes == set(other.networks)
    router.control(winner, Type.BYE)
    assert router.routes == set()


# -- what the host has


def host_with(network: str, interface: str = "eth5") -> Host:
    return Host(connected=((ipaddress.ip_network(network), interface),))


def test_a_claim_of_what_the_host_has_is_refused(router: Router) -> None:
    router.take(router.machine.handle_host(host_with("10.20.0.0/24")))
    assert router.hello(shared(), ELSEWHERE) is Drop.SOURCE
    assert router.told[0].text == (
        "refused endpoint_2 from [2001:db8:1::1]:5: 10.20.0.2 lies in 10.20.0.0/24,"
        " which eth5 is connected to"
    )
    router.reconfigure(config())
    assert router.hello(shared(), ELSEWHERE) is Drop.SOURCE, "a reload does not forget it"
    router.take(router.machine.handle_host(Host()))
    assert router.hello(shared(), ELSEWHERE) is None


def test_a_tunnel_whose_addresses_the_host_has_by_now_is_closed(router: Router) -> None:
    one, two = router.open(shared()), router.open(shared(), ELSEWHERE)
    router.take(router.machine.handle_host(host_with("10.20.0.0/24")))
    assert list(router.sessions) == [one]
    assert router.byes == [two]
    assert router.routes == set()
    assert router.told[-1].text == (
        "tunnel to endpoint_2 is closed: 10.20.0.2 lies in 10.20.0.0/24, which eth5 is connected to"
    )


def test_an_endpoint_cannot_claim_where_it_is_itself(router: Router) -> None:
    believed(router.machine, ELSEWHERE)
    hello = Initiator(shared(), ELSEWHERE, 7, os.urandom, 1).hello()
    mapped = f"::ffff:{ELSEWHERE.tun_ipv4}"
    assert router.hear_hello(hello, (mapped, 5, 0, 0)) is Drop.SOURCE


# -- time


def test_the_silent_are_forgotten(router: Router) -> None:
    session = router.open(shared(), ELSEWHERE)
    del router.told[:]
    heard = router.sessions[session]
    heard.last_received = router.now
    due = router.machine.due
    router.take(due(router.now + FORGOTTEN_S, router.sessions))
    assert router.routes == OUTSIDE
    assert router.machine.count_up(router.now + DEAD_S, router.sessions) == 0
    router.take(due(router.now + FORGOTTEN_S + 0.1, router.sessions))
    assert (router.sessions, router.routes) == ({}, set())
    assert [told.text for told in router.told] == ["tunnel to endpoint_2 is gone: nothing heard"]


def test_a_session_of_two_hours_is_ended(router: Router) -> None:
    old = router.open(shared())
    for _ in range(int(OLDEST_S)):
        router.now += 1.0
        router.control(old, Type.PROBE, 0, body=Probe(0, 0).encode())
        router.take(router.machine.due(router.now, router.sessions))
    assert router.byes == []
    router.now += 1.0
    offered = router.offered(shared())
    router.take(router.machine.due(router.now, router.sessions))
    assert router.byes == [old]
    assert list(router.sessions) == [offered], "what replaces it is on its way"
    assert router.told[-1] == Tell(
        logging.WARNING, "tunnel to endpoint_1 is closed: its session was not renewed"
    )
    router.confirm(offered)
    assert router.selected() == offered


def test_a_session_that_is_renewed_every_hour_is_never_ended(router: Router) -> None:
    for _ in range(5):
        session = router.open(shared())
        for _ in range(60):
            router.now += 60.0
            router.sessions[session].last_received = router.now
            router.take(router.machine.due(router.now, router.sessions))
    assert router.byes == []
    assert list(router.sessions) == [session]


def test_an_offer_that_nobody_takes_is_forgotten_without_a_word(router: Router) -> None:
    session, offered = router.open(shared()), router.offered(shared())
    router.offered(shared(), ELSEWHERE)
    del router.told[:]
    assert offered in router.sessions
    router.take(router.machine.due(router.now + PENDING_S + 0.1, router.sessions))
    assert list(router.sessions) == [session]
    assert router.told == []


# -- itself


UP, DOWN = Service(), Service(egress_up=False)
DRAINING, DRAINED = Service(phase=Phase.DRAINING), Service(phase=Phase.DRAINED)


@pytest.mark.parametrize(
    ("before", "after", "orders"),
    [
        (UP, UP, []),
        (UP, Service(echoes=Echoes(3, 2)), []),
        (UP, DOWN, [Announce(), Report()]),
        (DOWN, UP, [Announce(), Report()]),
        (UP, DRAINING, [Announce(), Report()]),
        (DRAINING, DRAINED, [Announce()]),
        (DRAINED, UP, [Announce(), Report()]),
        # Endpoints are told that nothing is forwarded, whatever the reason.
        (DRAINED, Service(egress_up=False, phase=Phase.DRAINED), [Report()]),
        (UP, Service(restarting=True), [Announce()]),
    ],
)
def test_who_is_told_of_another_state(
    router: Router, before: Service, after: Service, orders: list[Order]
) -> None:
    router.take(router.machine.handle_service(before))
    del router.others[:]
    router.take(router.machine.handle_service(after))
    assert router.others == orders


@pytest.mark.parametrize(
    ("service", "flags"),
    [
        (UP, RouterFlag(0)),
        (DOWN, RouterFlag.EGRESS_DOWN),
        (DRAINING, RouterFlag.DRAINING),
        (DRAINED, RouterFlag.DRAINING | RouterFlag.EGRESS_DOWN),
        (Service(restarting=True), RouterFlag.RESTARTING),
    ],
)
def test_the_state_is_told_in_every_answer(
    router: Router, service: Service, flags: RouterFlag
) -> None:
    session = router.open(shared())
    router.take(router.machine.handle_service(service))
    router.control(session, Type.PROBE, body=PROBE)
    assert last_ack(router)[2] == flags
    believed(router.machine, ELSEWHERE)
    initiator = Initiator(shared(), ELSEWHERE, 7, os.urandom, 1)
    router.hear_hello(initiator.hello(), peer(99))
    assert initiator.finish(router.answers[-1])[0].flags == flags


def test_an_announcement_tells_the_newest_state_to_each_and_ends(router: Router) -> None:
    one, two = router.open(shared()), router.open(shared(), ELSEWHERE)
    machine = router.machine
    assert machine.announce_next(router.now, router.sessions) is None
    machine.handle_service(DRAINING)
    first = machine.announce_next(router.now, router.sessions)
    assert first == [SendControl(one, Type.ROLE, flags=RouterFlag.DRAINING)]
    machine.handle_service(UP)
    told = [machine.announce_next(router.now, router.sessions) for _ in range(3)]
    assert told == [[SendControl(session, Type.ROLE)] for session in (one, two)] + [None]


def test_the_end_is_said_to_all_before_anything_is_forgotten(router: Router) -> None:
    sessions = [router.open(shared()), router.open(shared(), ELSEWHERE)]
    router.offered(shared())
    orders = router.machine.close()
    assert all(isinstance(order, SendControl) for order in orders[:2])
    router.take(orders)
    assert router.byes == sessions
    assert (router.sessions, router.routes) == ({}, set())


# -- networks behind endpoints

BOUND = {
    "endpoint_networks": ["10.10.0.0/16", "fd00::/16"],
    "endpoint_prefixes": ["192.168.0.0/16"],
}


def behind(number: int, *prefixes: str) -> Claim:
    return Claim(
        f"endpoint_{number}",
        ipaddress.IPv4Address(f"10.10.100.{number}"),
        None,
        tuple(map(ipaddress.ip_network, prefixes)),
    )


def to_lan(address: str) -> bytes:
    packed = ipaddress.ip_address(address).packed
    return b"\x11" + bytes((198, 51, 100, 10)) + packed + bytes(4)


def refusal(router: Router) -> tuple[Objection, str]:
    with pytest.raises(ClaimRefused) as refused:
        router._initiator.finish(router.answers[-1])
    return refused.value.objection, str(refused.value.network)


def test_a_network_is_routed_and_led_to_its_session() -> None:
    router = Router(config(**BOUND))
    session = router.open(shared(), behind(1, "192.168.7.0/24"))
    assert router.routes == {ipaddress.ip_network("192.168.7.0/24")}
    assert router.machine.select(to_lan("192.168.7.9"), 0, 0.0) == session
    assert router.machine.select(to_lan("192.168.8.9"), 0, 0.0) == 0
    renewed = router.open(shared(), behind(1, "192.168.7.0/24"))
    assert router.machine.select(to_lan("192.168.7.9"), 0, 0.0) == renewed
    router.control(renewed, Type.BYE)
    assert router.routes == set()


def test_who_claims_too_much_is_told_what() -> None:
    router = Router(config(**BOUND))
    assert router.hello(shared(), behind(1, "172.16.0.0/24", "192.168.7.0/24")) is Drop.SOURCE
    assert refusal(router) == (Objection.OUTSIDE, "172.16.0.0/24")
    router.take(router.machine.handle_host(host_with("192.168.7.0/25")))
    assert router.hello(shared(), behind(1, "192.168.7.0/24")) is Drop.SOURCE
    assert refusal(router) == (Objection.TAKEN, "192.168.7.0/24")
    assert router.machine.refused_claims == 2
    assert (router.sessions, router.routes) == ({}, set())


def test_of_two_that_overlap_the_first_is_kept_and_the_second_told() -> None:
    router = Router(config(**BOUND))
    first = router.open(shared(), behind(1, "192.168.7.0/24"))
    second = router.offered(shared(), behind(2, "192.168.0.0/20"))
    router.answer(first)
    router.confirm(second)
    assert router.byes == [second]
    assert router.machine.select(to_lan("192.168.7.9"), 0, 0.0) == first
    assert router.hello(shared(), behind(2, "192.168.0.0/20")) is Drop.SOURCE
    assert refusal(router) == (Objection.ANOTHERS, "192.168.0.0/20")
    assert router.machine.refused_devices == 2
    warned = [told.text for told in router.told if told.level == logging.WARNING]
    assert len(warned) == 1
    assert "two devices say that they have 192.168.7.0/24 or 192.168.0.0/20" in warned[0]
    assert router.routes == {ipaddress.ip_network("192.168.7.0/24")}


def test_one_that_does_not_answer_gives_way() -> None:
    router = Router(config(**BOUND))
    first = router.open(shared(), behind(1, "192.168.7.0/24"))
    second = router.open(shared(), behind(2, "192.168.0.0/20"))
    router.pass_time(1.1)
    assert router.byes == [first]
    assert router.machine.select(to_lan("192.168.7.9"), 0, 0.0) == second
    assert router.routes == {ipaddress.ip_network("192.168.0.0/20")}


def test_a_reload_that_takes_networks_away_closes_who_has_them() -> None:
    router = Router(config(**BOUND))
    keeps = router.open(shared(), behind(1, "192.168.7.0/24"))
    loses = router.open(shared(), behind(2, "192.168.8.0/24"))
    router.reconfigure(config(**{**BOUND, "endpoint_prefixes": ["192.168.7.0/24"]}))
    assert (list(router.sessions), router.byes) == ([keeps], [loses])
    assert router.told[-1].text == (
        "tunnel to endpoint_2 is closed: 192.168.8.0/24 is outside of tunnel.endpoint_prefixes"
    )


def test_networks_behind_endpoints_are_none_of_their_own() -> None:
    with pytest.raises(ValueError, match=r"endpoint_prefixes: 10.10.8.0/24 overlaps 10.10.0.0/16"):
        config(**{**BOUND, "endpoint_prefixes": ["10.10.8.0/24"]})


@pytest.mark.parametrize("prefixes", [(), ("192.168.7.0/24",)])
def test_networks_of_a_reload_are_for_those_that_come_later(prefixes: tuple[str, ...]) -> None:
    router = Router(config(**BOUND))
    session = router.open(shared(), behind(1, *prefixes))
    router.reconfigure(config(**{**BOUND, "endpoint_networks": ["10.10.0.0/24"]}))
    assert list(router.sessions) == [session]
    assert router.byes == []
    assert router.hello(shared(), behind(1, *prefixes)) is Drop.SOURCE


def test_what_a_reload_makes_the_router_s_own_is_not_the_endpoint_s_any_more() -> None:
    router = Router(config(**BOUND))
    session = router.open(shared(), behind(1))
    router.reconfigure(config(**{**BOUND, "tun_ipv4": "10.10.100.1/16"}))
    assert (router.byes, router.sessions) == ([session], {})
    assert "10.10.100.1 is an address of this router" in router.told[-1].text
