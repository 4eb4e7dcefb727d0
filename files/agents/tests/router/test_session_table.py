from __future__ import annotations

import ipaddress
import itertools

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nrs.router.session_table import (
    DEAD_S,
    FORGOTTEN_S,
    MOST_PENDING,
    PENDING_S,
    PREVIOUS_S,
    Device,
    Entry,
    Pending,
    SessionTable,
)
from nrs.tunnel.handshake import StaticKey
from nrs.tunnel.wire import Claim
from tests.router.driven import Heard

_indices = itertools.count(1)


def claim(number: int = 1, *prefixes: str, name: str | None = None) -> Claim:
    return Claim(
        name or f"endpoint_{number}",
        ipaddress.IPv4Address(f"10.10.100.{number}"),
        ipaddress.IPv6Address(f"fd00:10:100::{number}"),
        tuple(ipaddress.ip_network(prefix) for prefix in prefixes),
    )


KEY = StaticKey(b"k" * 32)
SUCCESSION = b"s" * 32


class Table(SessionTable):
    """With what the packet path notes of its sessions."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: dict[int, Heard] = {}

    def of(self, index: int) -> Device:
        device = self.device(index)
        assert device is not None
        return device

    def expire_all(self, now: float) -> tuple[list[Claim], list[int]]:
        """The devices that are gone, and the sessions."""
        before = [device.claim for device in self]
        sessions = [s for device in self for s in self.expire(device, now, self.heard)]
        left = {device.claim for device in self}
        return [claim for claim in before if claim not in left], sessions

    def up(self, now: float) -> int:
        return self.count_up(now, self.heard)


def offer(table: Table, of: Claim, nonce: bytes = b"n", now: float = 0.0) -> tuple[int, list[int]]:
    """A new pending session, and the one that it pushed out."""
    index = next(_indices)
    table.heard[index] = Heard(now)
    return index, table.offer(
        of, Pending(Entry(index, KEY, SUCCESSION), nonce, b"answer to " + nonce, now)
    )


def connect(table: Table, of: Claim, now: float = 0.0) -> int:
    new, _ = offer(table, of, now=now)
    table.confirm(new, now, wall=1e9 + now)
    return new


def packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def test_a_hello_alone_gets_no_packet() -> None:
    table = Table()
    offer(table, claim())
    assert table.select(claim().tun_ipv4.packed) == 0
    assert [device.current for device in table] == [None]
    assert not table.up(0.0)


def test_a_session_becomes_current_when_it_is_confirmed() -> None:
    table = Table()
    new, pushed = offer(table, claim())
    assert pushed == []
    device, forget = table.confirm(new, 5.0, wall=1e9)
    assert (device.current, device.pending, device.previous) == (
        Entry(new, KEY, SUCCESSION),
        [],
        None,
    )
    assert device.since == 1e9
    assert forget == []
    assert table.select(claim().tun_ipv4.packed) == new
    assert table.select(claim().tun_ipv6.packed) == new
    assert table.device(new) is device
    assert table.up(5.0) == 1


def test_replayed_hellos_never_displace_a_live_session() -> None:
    """However many there are, the live session serves and stays known."""
    table = Table()
    live = connect(table, claim())
    for number in range(50):
        _, pushed = offer(table, claim(), nonce=b"old %d" % number, now=number / 10)
        assert live not in pushed
        assert table.select(claim().tun_ipv4.packed) == live
        assert table.of(live).current == Entry(live, KEY, SUCCESSION)
    table.expire_all(5.0 + PENDING_S + 0.1)
    assert table.select(claim().tun_ipv6.packed) == live
    assert table.device(live) is not None


def test_a_repeated_hello_finds_its_own_answer() -> None:
    table = Table()
    assert table.repeated(claim(), b"one") is None
    one, _ = offer(table, claim(), b"one")
    two, _ = offer(table, claim(), b"two")
    for nonce, expected in ((b"one", one), (b"two", two)):
        found = table.repeated(claim(), nonce)
        assert found is not None
        assert (found.entry.index, found.answer) == (expected, b"answer to " + nonce)
    assert table.repeated(claim(), b"three") is None
    assert table.repeated(claim(2), b"one") is None


def test_the_fifth_pending_session_pushes_out_the_oldest() -> None:
    table = Table()
    assert MOST_PENDING == 4
    offered = [offer(table, claim(), b"%d" % n) for n in range(6)]
    assert [pushed for _, pushed in offered] == [[]] * 4 + [[offered[0][0]], [offered[1][0]]]
    assert table.repeated(claim(), b"0") is None
    assert table.repeated(claim(), b"2") is not None
    assert table.device(offered[0][0]) is None
    other, pushed = offer(table, claim(2), b"9")
    assert pushed == []  # a device's offers are its own
    assert table.device(other) is not table.device(offered[5][0])


def test_confirming_one_forgets_the_others() -> None:
    table = Table()
    live = connect(table, claim())
    offered = [offer(table, claim(), b"%d" % n)[0] for n in range(3)]
    device, forget = table.confirm(offered[1], 7.0, wall=0.0)
    assert set(forget) == {offered[0], offered[2]}
    assert device.current == Entry(offered[1], KEY, SUCCESSION)
    assert device.previous == (Entry(live, KEY, SUCCESSION), 7.0)
    assert table.device(live) is device  # what is on its way still counts
    assert table.select(claim().tun_ipv4.packed) == offered[1]


def test_the_session_before_is_kept_for_a_moment() -> None:
    table = Table()
    one = connect(table, claim())
    two = connect(table, claim(), now=10.0)
    assert table.expire_all(10.0 + PREVIOUS_S) == ([], [])
    assert table.expire_all(10.0 + PREVIOUS_S + 0.1) == ([], [one])
    assert table.device(one) is None
    assert table.select(claim().tun_ipv4.packed) == two


def test_a_second_renewal_forgets_the_one_before_the_last() -> None:
    table = Table()
    one = connect(table, claim())
    two = connect(table, claim(), now=1.0)
    three, _ = offer(table, claim(), now=2.0)
    device, forget = table.confirm(three, 2.0, wall=0.0)
    assert forget == [one]
    assert device.previous == (Entry(two, KEY, SUCCESSION), 2.0)
    assert table.device(one) is None


def test_a_renewal_keeps_since_and_restarts_the_order_of_roles() -> None:
    table = Table()
    one = connect(table, claim(), now=1.0)
    device = table.of(one)
    assert device.take_role(99, True)
    connect(table, claim(), now=2.0)
    assert (device.since, device.active) == (1e9 + 1.0, True)
    assert device.current is not None
    assert device.current.state.role_sequence == 0


def test_pending_sessions_expire() -> None:
    table = Table()
    live = connect(table, claim())
    pending, _ = offer(table, claim(), b"x", now=1.0)
    alone, _ = offer(table, claim(2), b"y", now=1.0)
    assert table.expire_all(1.0 + PENDING_S) == ([], [])
    devices, sessions = table.expire_all(1.0 + PENDING_S + 0.1)
    assert set(sessions) == {pending, alone}
    assert devices == [claim(2)]
    assert table.repeated(claim(), b"x") is None
    assert table.device(live) is not None


def test_up_for_30_s_and_forgotten_after_90() -> None:
    table = Table()
    live = connect(table, claim())
    device = table.of(live)
    assert device.up(DEAD_S - 0.1, table.heard)
    assert not device.up(DEAD_S, table.heard)
    assert table.up(DEAD_S - 0.1) == 1
    assert table.up(DEAD_S) == 0
    assert table.expire_all(FORGOTTEN_S) == ([], [])
    table.heard[live].last_received = 50.0
    assert device.up(50.0 + DEAD_S - 0.1, table.heard)
    assert table.expire_all(50.0 + FORGOTTEN_S) == ([], [])
    assert table.expire_all(50.0 + FORGOTTEN_S + 0.1) == ([claim()], [live])
    assert table.select(claim().tun_ipv4.packed) == 0
    assert list(table) == []


def test_a_silent_device_that_offers_again_is_not_forgotten() -> None:
    table = Table()
    live = connect(table, claim())
    pending, _ = offer(table, claim(), now=FORGOTTEN_S)
    assert table.expire_all(FORGOTTEN_S + 1.0) == ([], [])
    device, _ = table.confirm(pending, FORGOTTEN_S + 2.0, wall=0.0)
    assert device.previous is not None
    assert device.previous[0].index == live


def test_removal_takes_every_session() -> None:
    table = Table()
    one = connect(table, claim(1, "10.20.0.0/16"))
    two = connect(table, claim(1, "10.20.0.0/16"))
    three, _ = offer(table, claim(1, "10.20.0.0/16"))
    device = table.of(two)
    assert set(table.remove(device)) == {one, two, three}
    for gone in (one, two, three):
        assert table.device(gone) is None
    for address in ("10.10.100.1", "fd00:10:100::1", "10.20.3.4"):
        assert table.select(packed(address)) == 0


def test_whole_addresses_before_prefixes() -> None:
    table = Table()
    wide = connect(table, claim(1, "10.20.0.0/20", "fd00:20::/32"))
    narrow = connect(table, claim(2, "10.20.30.0/24"))
    inside = connect(
        table, Claim("x", ipaddress.IPv4Address("10.20.30.9"), ipaddress.IPv6Address("fd00:20::9"))
    )
    for address, expected in {
        "10.20.1.1": wide,
        "10.20.30.1": narrow,
        "10.20.30.9": inside,
        "fd00:20::1": wide,
        "fd00:20::9": inside,
        "10.10.100.2": narrow,
        "10.21.0.0": 0,
        "fd00:21::": 0,
    }.items():
        assert table.select(packed(address)) == expected, address


def test_who_has_a_part_of_a_prefix_is_a_holder_until_it_is_robbed() -> None:
    table = Table()
    before = connect(table, claim(1, "10.20.0.0/16", "10.30.0.0/24"))
    other = claim(2, "10.20.30.0/24")
    assert [entry.index for entry in table.holders(other)] == [before]
    assert table.holders(claim(3, "10.21.0.0/16")) == []
    after = connect(table, other, now=1.0)
    assert table.robbed(before) is table.of(before)
    assert table.robbed(after) is None
    assert [table.select(packed(a)) for a in ("10.20.30.1", "10.20.31.1")] == [after, 0]
    assert table.select(packed("10.30.0.1")) == before
    assert table.restore(before, after) == [after]
    assert table.select(packed("10.20.30.1")) == before
    assert table.robbed(before) is None


def test_which_networks_lead_somewhere() -> None:
    table = Table()
    one = claim(1, "10.20.0.0/16", "10.30.0.1/32")
    connect(table, one)
    assert all(map(table.leads, one.networks))
    assert not table.leads(ipaddress.ip_network("10.20.0.0/17"))
    assert not table.leads(ipaddress.ip_network("10.20.0.1/32"))


def test_a_shared_key_lets_a_device_take_over_an_address() -> None:
    table = Table()
    before = connect(table, claim(1))
    after = connect(table, claim(1, name="other"), now=1.0)
    assert table.select(claim().tun_ipv4.packed) == after
    device = table.of(before)
    table.remove(device)  # the loser's end is not the winner's
    assert table.select(claim().tun_ipv4.packed) == after


class TableModel(RuleBasedStateMachine):
    """Random lives of three devices: the table and plain bookkeeping agree."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Table()
        self.now = 0.0
        self.pending: dict[int, tuple[int, float]] = {}
        self.current: dict[int, int] = {}

    @rule(number=st.integers(1, 3), passed=st.floats(0, 4))
    def hello(self, number: int, passed: float) -> None:
        self.now += passed
        new, pushed = offer(self.table, claim(number), b"%d" % next(_indices), self.now)
        self.pending[new] = (number, self.now)
        mine = [s for s, (n, _) in self.pending.items() if n == number]
        assert pushed == mine[:-MOST_PENDING]
        for index in pushed:
            del self.pending[index]

    @precondition(lambda self: self.pending)
    @rule(data=st.data())
    def first_packet(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(sorted(self.pending)))
        number = self.pending[chosen][0]
        self.table.confirm(chosen, self.now, wall=0.0)
        self.table.heard[chosen].last_received = self.now
        self.current[number] = chosen
        self.pending = {s: p for s, p in self.pending.items() if p[0] != number}

    @rule(number=st.integers(1, 3))
    def packet(self, number: int) -> None:
        if number in self.current:
            self.table.heard[self.current[number]].last_received = self.now

    @rule(passed=st.floats(0, 60))
    def time_passes(self, passed: float) -> None:
        self.now += passed
        self.table.expire_all(self.now)
        self.pending = {s: p for s, p in self.pending.items() if self.now - p[1] <= PENDING_S}
        for number, live in list(self.current.items()):
            waiting = any(n == number for n, _ in self.pending.values())
            if self.now - self.table.heard[live].last_received > FORGOTTEN_S and not waiting:
                del self.current[number]

    @rule(number=st.integers(1, 3))
    def bye(self, number: int) -> None:
        if number in self.current:
            self.table.remove(self.table.of(self.current.pop(number)))
            self.pending = {s: p for s, p in self.pending.items() if p[0] != number}

    @invariant()
    def agrees(self) -> None:
        for number in (1, 2, 3):
            expected = self.current.get(number, 0)
            assert self.table.select(claim(number).tun_ipv4.packed) == expected
            assert self.table.select(claim(number).tun_ipv6.packed) == expected
        for session in [*self.pending, *self.current.values()]:
            assert self.table.device(session) is not None
        known = {p.entry.index for d in self.table for p in d.pending}
        assert known == set(self.pending)


TestTableModel = TableModel.TestCase
TestTableModel.settings = settings(max_examples=40, stateful_step_count=30)
