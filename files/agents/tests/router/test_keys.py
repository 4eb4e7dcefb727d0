"""Which keys a routing server accepts, and what becomes of sessions whose key has gone."""

from __future__ import annotations

import logging

import pytest

from nrs.router.config import RoutingServerConfig
from nrs.tunnel.drop import Drop
from nrs.tunnel.handshake import StaticKey
from nrs.tunnel.wire import Claim
from tests.router.driven import (
    CLAIM,
    ELSEWHERE,
    NEW,
    OLD,
    OTHER,
    Router,
    config,
    device,
    shared,
    text,
)

BOTH = ["shared", "device"]


@pytest.mark.parametrize(
    ("modes", "static", "refused"),
    [
        (["shared"], shared(), None),
        (["device"], device(), None),
        (BOTH, shared(), None),
        (BOTH, device(), None),
        (["device"], shared(), Drop.MALFORMED),
        (["shared"], device(), Drop.MALFORMED),
        (["device"], shared(OTHER), Drop.TAG),
        (["device"], device(OTHER), Drop.TAG),
        (["shared"], shared(OTHER), Drop.TAG),
    ],
)
def test_modes(modes: list[str], static: StaticKey, refused: Drop | None) -> None:
    router = Router(config(key_modes=modes))
    assert router.hello(static) is refused
    assert len(router.answers) == (refused is None)


def test_a_device_key_made_for_another_address_is_refused() -> None:
    router = Router(config(key_modes=["device"]))
    another = Claim("endpoint_1", CLAIM.tun_ipv4 + 1, CLAIM.tun_ipv6)
    assert router.hello(device(), another) is Drop.TAG
    assert router.hello(device(claim=another), another) is None


@pytest.mark.parametrize(("epoch", "before"), [(1, 0), (0, 255)])
def test_two_epochs_are_accepted_each_with_its_own_key(epoch: int, before: int) -> None:
    router = Router(config(NEW, key_epoch=epoch, previous_psk=text(OLD), key_modes=["device"]))
    assert router.hello(device(NEW, epoch)) is None
    assert router.hello(device(OLD, before)) is None
    assert router.hello(device(OLD, epoch)) is Drop.TAG
    assert router.hello(device(NEW, before)) is Drop.TAG
    assert router.hello(device(NEW, epoch + 1)) is Drop.TAG


def warnings(router: Router) -> list[str]:
    return [told.text for told in router.told if told.level == logging.WARNING]


def test_a_refused_mode_is_logged_with_what_to_do_and_not_for_every_hello() -> None:
    router = Router(config(key_modes=["device"]))
    for _ in range(3):
        router.hello(shared())
    (line,) = warnings(router)
    assert "endpoint_1" in line
    assert "tunnel.key_modes" in line
    assert "device_key" in line


def test_who_holds_no_key_brings_nothing_into_the_log() -> None:
    router = Router(config(key_modes=["device"]))
    assert router.hello(shared(OTHER)) is Drop.TAG
    assert warnings(router) == []


def test_a_rotation_keeps_the_sessions_of_the_epoch_before() -> None:
    router = Router(config(key_modes=["device"]))
    session = router.open(device())
    router.reconfigure(config(NEW, key_epoch=1, previous_psk=text(OLD), key_modes=["device"]))
    assert router.selected() == session
    assert router.said == []
    newer = router.open(device(NEW, 1))
    assert router.selected() == newer
    # Until the endpoint's last packets through it have arrived.
    assert session in router.sessions
    router.reconfigure(config(NEW, key_epoch=1, key_modes=["device"]))
    assert router.selected() == newer
    assert list(router.sessions) == [newer]
    assert router.said == []


@pytest.mark.parametrize(
    "after",
    [
        config(NEW, key_epoch=1, key_modes=BOTH),
        config(NEW, key_modes=BOTH),
        config(OLD, key_epoch=1, key_modes=BOTH),
    ],
    ids=["epoch dropped", "another key of the same epoch", "another epoch of the same key"],
)
@pytest.mark.parametrize("static", [shared(), device()])
def test_sessions_of_a_key_that_is_gone_end_with_a_bye(
    after: RoutingServerConfig, static: StaticKey
) -> None:
    router = Router(config(key_modes=BOTH))
    session = router.open(static)
    router.offered(static)
    router.reconfigure(after)
    assert router.byes == [session]
    assert router.sessions == {}
    assert router.selected() == 0
    assert list(router.machine.devices) == []


def test_the_sessions_of_every_endpoint_end() -> None:
    router = Router()
    sessions = [router.open(shared()), router.open(shared(), ELSEWHERE)]
    router.reconfigure(config(NEW))
    assert router.byes == sessions
    assert (router.sessions, router.routes) == ({}, set())
    assert [told.split(" is ")[0] for told in warnings(router)] == [
        "tunnel to endpoint_1",
        "tunnel to endpoint_2",
    ]


def test_a_mode_that_is_no_longer_allowed_ends_its_sessions_only() -> None:
    router = Router(config(key_modes=BOTH))
    session = router.open(device())
    router.reconfigure(config(key_modes=["device"]))
    assert router.selected() == session
    router.reconfigure(config(key_modes=["shared"]))
    assert router.byes == [session]
    assert router.selected() == 0


def test_what_an_endpoint_was_offered_with_the_new_key_outlives_the_old_one() -> None:
    router = Router(config(NEW, key_epoch=1, previous_psk=text(OLD), key_modes=["device"]))
    session = router.open(device(OLD, 0))
    offered = router.offered(device(NEW, 1))
    router.reconfigure(config(NEW, key_epoch=1, key_modes=["device"]))
    assert router.byes == [session]
    assert list(router.sessions) == [offered]
    router.confirm(offered)
    assert router.selected() == offered


def test_a_reload_that_changes_no_key_keeps_everything() -> None:
    router = Router(config())
    session, pending = router.open(shared()), router.offered(shared())
    router.reconfigure(config(endpoint_networks=["10.0.0.0/8", "fd00::/8"]))
    assert router.selected() == session
    assert set(router.sessions) == {session, pending}
    assert router.said == []
