"""Whatever happens in whatever order: nothing is ordered of a session that is over.

The fakes of `driven` refuse such an order, which would end the packet loop of a real router.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from nrs.identity.revoked_tunnels import RevokedTunnels
from nrs.router.config import RoutingServerConfig
from nrs.router.drain import Phase
from nrs.router.orders import AskCandidates
from nrs.router.service import Service
from nrs.router.session_table import Device
from nrs.tunnel.control import Control
from nrs.tunnel.wire import MOST_MEMBERS, Claim, Member, Probe, ProbeAck, Type
from tests.router.driven import CLAIM, ELSEWHERE, Router, config, device, shared

NEXT = replace(CLAIM, generation=1)
OVERLAPPING = replace(ELSEWHERE, tun_ipv4=CLAIM.tun_ipv4)
CLAIMS = (CLAIM, NEXT, ELSEWHERE, OVERLAPPING)
BOTH = {"key_modes": ["shared", "device"]}
CONFIGURATIONS = (
    config(**BOTH),
    config(),
    config(endpoint_networks=["10.10.100.0/24", "fd00::/8"], **BOTH),
)
LISTS = (
    RevokedTunnels(),
    RevokedTunnels().with_endpoint(CLAIM.endpoint_id, 1),
    RevokedTunnels().with_besides([ELSEWHERE.endpoint_id]),
)
SERVICES = (Service(), Service(phase=Phase.DRAINING), Service(egress_up=False))

picks = st.integers(0, 11)
events = st.one_of(
    st.tuples(st.just("hello"), st.sampled_from(CLAIMS), st.booleans(), st.booleans()),
    st.tuples(st.just("confirm"), picks),
    st.tuples(st.just("renew"), st.sampled_from(CLAIMS)),
    st.tuples(st.just("moved"), picks, st.booleans()),
    st.tuples(
        st.just("control"),
        picks,
        st.sampled_from((Type.PROBE, Type.PROBE_ACK, Type.ROLE, Type.BYE, Type.TRAIN)),
        picks,
    ),
    st.tuples(st.just("wait"), st.sampled_from((0.1, 0.25, 1.1, 3.1, 16.0, 100.0, 7300.0))),
    st.tuples(st.just("configure"), st.sampled_from(CONFIGURATIONS)),
    st.tuples(st.just("revoke"), st.sampled_from(LISTS)),
    st.tuples(st.just("service"), st.sampled_from(SERVICES)),
)


class Walk:
    """A router, and what is found in it by a number."""

    def __init__(self) -> None:
        self.router = Router(CONFIGURATIONS[0])
        self.unused: list[int] = []

    def session(self, pick: int) -> int | None:
        there = sorted(self.router.sessions)
        return there[pick % len(there)] if there else None

    def hello(self, claim: Claim, own_key: bool, stranger: bool) -> None:
        router = self.router
        before = set(router.sessions)
        static = device(claim=claim) if own_key else shared()
        router.hello(static, claim, stranger=stranger)
        self.unused += sorted(set(router.sessions) - before)

    def renew(self, claim: Claim) -> None:
        """As an endpoint does that has a session, or none."""
        self.hello(claim, own_key=True, stranger=False)
        self.confirm(-1)

    def confirm(self, pick: int) -> None:
        self.unused = [index for index in self.unused if index in self.router.sessions]
        if self.unused:
            self.router.confirm(self.unused.pop(pick % len(self.unused)))

    def moved(self, pick: int, elsewhere: bool) -> None:
        index = self.session(pick)
        if index is not None:
            now = self.router.now
            self.router.take(self.router.machine.handle_moved(index, now, elsewhere=elsewhere))

    def control(self, pick: int, kind: Type, sequence: int) -> None:
        """PROBE_ACKs answer what was asked last."""
        index, router = self.session(pick), self.router
        if index is None or index in self.unused:
            return
        asked = [
            order for order in router.said if order.kind is Type.PROBE and order.index == index
        ]
        number = Member(sequence, 0, MOST_MEMBERS).encode()
        stamp = 1
        if kind is Type.PROBE_ACK and asked:
            number, stamp = asked[-1].specific, Probe.decode(asked[-1].body).timestamp_us
        body = {
            Type.PROBE: Probe(1, 1400).encode(),
            Type.PROBE_ACK: ProbeAck(stamp, 1, 1, 1, 0).encode(),
            Type.TRAIN: bytes(100),
        }.get(kind, b"")
        control = Control(kind, 0, 0, sequence, number, body, from_candidate=bool(sequence % 2))
        router.sessions[index].last_received = router.now
        router.take(router.machine.handle_control(index, control, 1, 1, 51820, router.now))

    def wait(self, seconds: float) -> None:
        """What has asked to be called is called, and the table is looked through."""
        router = self.router
        router.pass_time(seconds)
        for order in [one for one in router.others if isinstance(one, AskCandidates)]:
            router.others.remove(order)
            router.take(router.machine.ask_candidates(router.now))
        router.take(router.machine.due(router.now, router.sessions))
        router.take(router.machine.announce_next(router.now, router.sessions) or ())

    def configure(self, after: RoutingServerConfig) -> None:
        self.router.take(self.router.machine.handle_config(after))

    def revoke(self, revoked: RevokedTunnels) -> None:
        self.router.take(self.router.machine.handle_revocations(revoked))

    def service(self, service: Service) -> None:
        self.router.take(self.router.machine.handle_service(service))


@settings(max_examples=1000, deadline=None)
@given(st.lists(events, max_size=40))
def test_nothing_is_ordered_of_a_session_that_is_over(walked: list[tuple[object, ...]]) -> None:
    walk = Walk()
    for name, *given_ in walked:
        walk.router.others = [o for o in walk.router.others if isinstance(o, AskCandidates)]
        getattr(walk, str(name))(*given_)
        table = {index for d in walk.router.machine.devices for index in _held(d)}
        assert table == set(walk.router.sessions), "table and engine agree"


def _held(device: Device) -> set[int]:
    entries = [*(offer.entry for offer in device.pending), device.current]
    if device.previous is not None:
        entries.append(device.previous[0])
    return {entry.index for entry in entries if entry is not None}
