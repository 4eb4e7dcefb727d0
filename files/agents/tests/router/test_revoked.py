"""A router refuses what is revoked, and ends its sessions."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import replace

import pytest

from nrs.identity.revoked_tunnels import RevokedTunnels
from nrs.router.machine import RouterMachine
from nrs.tunnel.drop import Drop
from nrs.tunnel.handshake import ClaimRefused, Initiator
from nrs.tunnel.record import Progress
from nrs.tunnel.wire import Objection, Type
from tests.router.driven import (
    CLAIM,
    ELSEWHERE,
    NEW,
    OLD,
    Router,
    believed,
    config,
    peer,
    shared,
    text,
)

STOLEN = RevokedTunnels().with_endpoint("endpoint_1", 1)
BOTH_EPOCHS = config(NEW, key_epoch=1, previous_psk=text(OLD))


def revoke(router: Router, revoked: RevokedTunnels) -> None:
    router.take(router.machine.handle_revocations(revoked))


def said(router: Router) -> list[str]:
    return [told.text for told in router.told if "revoked" in told.text]


def test_its_sessions_end_and_nobody_elses() -> None:
    router = Router()
    other = router.open(shared(), ELSEWHERE)
    current = router.open(shared())
    pending = router.offered(shared())
    before = set(router.routes)
    revoke(router, STOLEN)
    assert set(router.sessions) == {other}
    assert router.byes == [current], f"and {pending} was never used"
    assert router.selected() == 0
    assert router.routes == before
    assert said(router) == ["tunnel to endpoint_1 is closed: its key is revoked"]
    revoke(router, STOLEN)
    assert len(said(router)) == 1


def test_what_is_routed_to_it_is_so_no_longer() -> None:
    router = Router()
    router.open(shared(), ELSEWHERE)
    assert router.routes
    revoke(router, RevokedTunnels().with_endpoint("endpoint_2", 1))
    assert router.routes == set()


def test_its_hello_makes_no_session_and_is_answered_with_a_refusal() -> None:
    router = Router()
    revoke(router, STOLEN)
    for _ in range(3):
        assert router.hello(shared()) is Drop.REVOKED
    assert router.sessions == {}
    assert router.opened == []
    believed(router.machine, CLAIM)
    initiator = Initiator(shared(), CLAIM, 7, os.urandom, router.stamp + 1)
    assert router.hear_hello(initiator.hello(), peer(99)) is Drop.REVOKED
    with pytest.raises(ClaimRefused) as refused:
        initiator.finish(router.answers[-1])
    assert refused.value.objection is Objection.REVOKED
    (told,) = said(router)
    assert told.startswith("refused endpoint_1 from ")
    assert told.endswith(": its key is revoked")
    assert router.hello(shared(), ELSEWHERE) is None


def test_a_wrong_tag_learns_nothing_of_what_is_revoked() -> None:
    router = Router()
    revoke(router, STOLEN)
    assert router.hello(shared(NEW)) is Drop.TAG
    assert router.answers == []


def test_epochs() -> None:
    router = Router(BOTH_EPOCHS)
    old, new = router.open(shared()), router.open(shared(NEW, 1), ELSEWHERE)
    revoke(router, RevokedTunnels().with_epochs_below(1))
    assert set(router.sessions) == {new}
    assert router.byes == [old]
    assert said(router) == ["tunnel to endpoint_1 is closed: the key epoch is revoked"]
    assert router.hello(shared()) is Drop.REVOKED
    assert router.hello(shared(NEW, 1)) is None


def test_an_endpoint_that_has_both_keys_keeps_the_session_of_the_good_one() -> None:
    router = Router(BOTH_EPOCHS)
    router.open(shared())
    present = router.open(shared(NEW, 1))
    revoke(router, RevokedTunnels().with_epochs_below(1))
    assert set(router.sessions) == {present}
    assert router.byes == []
    assert router.selected() == present


def test_what_a_service_refuses_by_itself() -> None:
    router = Router()
    router.open(shared())
    revoke(router, RevokedTunnels().with_besides(["endpoint_1"]))
    assert router.sessions == {}
    assert router.hello(shared()) is Drop.REVOKED


def test_it_is_let_in_again_by_a_later_list() -> None:
    router = Router()
    revoke(router, STOLEN)
    assert router.hello(shared()) is Drop.REVOKED
    revoke(router, STOLEN.without("endpoint_1"))
    assert router.hello(shared()) is None
    revoke(router, STOLEN)
    assert router.hello(shared()) is Drop.REVOKED
    assert len(said(router)) == 3, "and once when its tunnel was closed"


def test_a_session_of_an_earlier_process_does_not_go_on() -> None:
    before = Router()
    index = before.open(shared())
    record = next(o.record for o in before.opened if o.record.secrets.local_index == index)
    later = replace(record, claim=replace(CLAIM, generation=1))
    epoch = RevokedTunnels().with_epochs_below(1)
    for revoked, of, goes_on in (
        (RevokedTunnels(), record, True),
        (STOLEN, record, False),
        (STOLEN, later, True),
        (epoch, record, False),
    ):
        machine = RouterMachine(config(), os.urandom, retry_secret=bytes(32))
        machine.handle_revocations(revoked)
        orders = machine.resume(of, Progress(confirmed=True, since=1.0), 5.0)
        assert bool(orders) is goes_on


def test_a_session_of_a_later_generation_stays() -> None:
    before = Router()
    before.open(shared())
    record = replace(before.opened[-1].record, claim=replace(CLAIM, generation=1))
    after = Router()
    after.take(after.machine.resume(record, Progress(confirmed=True, since=1.0), after.now))
    revoke(after, STOLEN)
    assert len(after.sessions) == 1
    revoke(after, STOLEN.with_endpoint("endpoint_1", 2))
    assert after.sessions == {}


def test_a_reload_changes_nothing_of_it() -> None:
    router = Router()
    revoke(router, STOLEN)
    router.reconfigure(config())
    assert router.hello(shared()) is Drop.REVOKED


def test_a_holder_of_the_same_address_is_not_asked_for_a_revoked_rival() -> None:
    router = Router()
    rival = replace(
        ELSEWHERE, tun_ipv4=CLAIM.tun_ipv4, tun_ipv6=ipaddress.IPv6Address("fd00:20::9")
    )
    holder = router.open(shared())
    revoke(router, RevokedTunnels().with_endpoint(rival.endpoint_id, 1))
    assert router.hello(shared(), rival) is Drop.REVOKED
    assert [one for one in router.said if one.kind is Type.PROBE] == []
    assert set(router.sessions) == {holder}


def test_whoever_has_a_key_of_a_revoked_epoch_fills_no_log() -> None:
    router = Router(BOTH_EPOCHS)
    revoke(router, RevokedTunnels().with_epochs_below(1))
    for number in range(100):
        claim = replace(CLAIM, endpoint_id=f"invented_{number}")
        assert router.hello(shared(), claim) is Drop.REVOKED
    assert len(said(router)) == 1
    router.now += 1.0
    assert router.hello(shared()) is Drop.REVOKED
    assert len(said(router)) == 2
    assert router.machine._revoked_told == set()
