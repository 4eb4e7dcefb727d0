"""Removed devices: out until they are readmitted, and their addresses nobody's at first."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nrs.api.messages import DeviceStatus, EventReport, Registration
from nrs.controller.database import Database, StorageError
from nrs.controller.errors import (
    AddressInQuarantine,
    AddressTaken,
    DeviceRemoved,
    PoolExhausted,
    RegistryError,
    UnknownDevice,
)
from nrs.controller.events import Events
from nrs.controller.registry import Registry

from .conftest import Clock, configuration, endpoint, event, status

Open = Callable[..., Registry]
DAY_S = 86400.0
FIRST = ("10.10.100.1", "fd00:100::1")
SECOND = ("10.10.100.2", "fd00:100::2")


def register(registry: Registry, device_id: str = "endpoint_1", **fields: Any) -> tuple[Any, Any]:
    registered, _ = registry.register(Registration.model_validate(endpoint(device_id, **fields)))
    return registered.tun_ipv4, registered.tun_ipv6


def report(registry: Registry, device_id: str = "endpoint_1") -> None:
    registry.record_status(DeviceStatus.model_validate(status(device_id)))


def refusals(registry: Registry, events: Events, device_id: str = "endpoint_1") -> list[type]:
    """What each thing that a device does fails with."""
    found: list[type] = []
    happened = EventReport.model_validate({"device_id": device_id, "events": [event()]})
    for act in (
        lambda: register(registry, device_id),
        lambda: report(registry, device_id),
        lambda: registry.configuration(device_id),
        lambda: registry.push(device_id, {}),
        lambda: registry.device(device_id),
        lambda: events.record(happened),
        lambda: events.last(1, device_id),
    ):
        with pytest.raises(RegistryError) as refused:
            act()
        found.append(refused.type)
    return found


def test_a_removed_device_stays_out_over_restarts_until_it_is_readmitted(
    open_registry: Open, events: Events
) -> None:
    registry = open_registry()
    held = register(registry)
    register(registry, "endpoint_2")
    report(registry)
    events.record(EventReport.model_validate({"device_id": "endpoint_1", "events": [event()]}))
    removal, new = registry.remove("endpoint_1")
    assert new
    assert (removal.tun_ipv4, removal.tun_ipv6) == held
    assert set(refusals(registry, events)) == {DeviceRemoved}
    assert registry.remove("endpoint_1") == (removal, False)
    registry.close()
    registry = open_registry()
    assert [device.device_id for device in registry.devices()] == ["endpoint_2"]
    assert registry.removed() == [removal]
    assert set(refusals(registry, events)) == {DeviceRemoved}
    assert registry.readmit("endpoint_1")
    assert not registry.readmit("endpoint_1")
    assert registry.removed() == []
    with pytest.raises(UnknownDevice):
        report(registry)
    assert register(registry) == held
    report(registry)
    assert events.last(1) == [], "of its earlier life"
    assert not registry.readmit("endpoint_1")


def test_a_device_that_was_never_known_stays_out_too(open_registry: Open, events: Events) -> None:
    """As of a controller that was dead, or has lost its registry, while others knew the device."""
    registry = open_registry()
    removal, new = registry.remove("endpoint_1")
    assert (new, removal.tun_ipv4, removal.free_at) == (True, None, None)
    assert set(refusals(registry, events)) == {DeviceRemoved}
    with pytest.raises(UnknownDevice):
        registry.readmit("endpoint_9")


def test_nobody_else_has_its_addresses_for_a_day(open_registry: Open, clock: Clock) -> None:
    registry = open_registry()
    assert register(registry) == FIRST
    clock.now += 10
    removal, _ = registry.remove("endpoint_1")
    assert removal.free_at == clock.now + DAY_S
    assert register(registry, "endpoint_2") == SECOND
    clock.now += DAY_S - 1
    registry = open_registry()
    with pytest.raises(AddressInQuarantine, match="was device 'endpoint_1''s"):
        register(registry, "endpoint_3", tun_ipv4=FIRST[0])
    assert register(registry, "endpoint_2") == SECOND
    clock.now += 1
    assert register(registry, "endpoint_3") == FIRST


def test_a_quarantine_may_be_shorter_and_holds_for_what_was_removed_before(
    open_registry: Open, clock: Clock
) -> None:
    one = {"tun_ipv4_pool": {"start": 1, "end": 1}}
    registry = open_registry(**one)
    register(registry)
    registry.remove("endpoint_1")
    with pytest.raises(PoolExhausted):
        register(registry, "endpoint_2")
    clock.now += 60
    registry.configure(configuration(**one, quarantine=60))
    assert register(registry, "endpoint_2")[0] == FIRST[0]


def test_without_a_quarantine_they_are_free_at_once(open_registry: Open) -> None:
    registry = open_registry(quarantine=0)
    register(registry)
    removal, _ = registry.remove("endpoint_1")
    assert register(registry, "endpoint_2", tun_ipv4=FIRST[0]) == FIRST
    registry.readmit("endpoint_1")
    assert removal.tun_ipv4 == FIRST[0]
    assert register(registry) == SECOND, "what it held is another's"


def test_one_that_was_readmitted_and_not_back_keeps_its_addresses(
    open_registry: Open, clock: Clock
) -> None:
    registry = open_registry()
    register(registry)
    registry.remove("endpoint_1")
    registry.readmit("endpoint_1")
    assert register(registry, "endpoint_2") == SECOND
    again, new = registry.remove("endpoint_1")
    assert (new, again.tun_ipv4) == (True, FIRST[0])


@pytest.mark.parametrize("quarantine", [60, DAY_S])
def test_one_that_comes_back_in_vain_keeps_them_too(
    open_registry: Open, clock: Clock, quarantine: float
) -> None:
    """Also where the quarantine of another one, or its own, has just ended."""
    registry = open_registry(quarantine=quarantine)
    others = register(registry, "endpoint_2")
    held = register(registry)
    register(registry, "endpoint_3")
    registry.remove("endpoint_3")
    clock.now += 60
    registry.remove("endpoint_1")
    registry.readmit("endpoint_1")
    clock.now += quarantine - 60
    with pytest.raises(AddressTaken):
        register(registry, tun_ipv6=others[1])
    given = [register(registry, f"endpoint_{number}") for number in (4, 5)]
    assert held not in given
    clock.now += 60
    assert register(registry) == held
    assert register(registry, "endpoint_6") not in (held, others, *given)


def test_what_was_heard_before_a_removal_is_not_stored_after_it(
    open_registry: Open, clock: Clock
) -> None:
    """In another process on the same file it is still in memory."""
    registry, other = open_registry(), open_registry()
    register(registry)
    register(other, "endpoint_2")
    report(other)
    report(other, "endpoint_2")
    registry.remove("endpoint_1")
    clock.now += 5
    report(other, "endpoint_2")
    other.flush()
    (kept,) = open_registry().devices()
    assert (kept.device_id, kept.last_seen) == ("endpoint_2", clock.now)


@pytest.mark.parametrize("readmitted", [True, False])
def test_a_registry_whose_last_device_was_removed_is_not_a_lost_one(
    open_registry: Open, database_file: Path, readmitted: bool
) -> None:
    registry = open_registry()
    register(registry)
    registry.remove("endpoint_1")
    if readmitted:
        registry.readmit("endpoint_1")
    registry.close()
    assert open_registry().devices() == []
    with sqlite3.connect(database_file) as connection:
        connection.execute("DELETE FROM removed_devices")
    connection.close()
    with pytest.raises(StorageError, match="it has no devices, and there were some"):
        Database(f"sqlite:///{database_file}")


def test_what_an_earlier_release_has_let_in_stays_out(
    open_registry: Open, events: Events, clock: Clock, database_file: Path
) -> None:
    """With what it was given there, and has told."""
    registry = open_registry()
    register(registry)
    events.record(EventReport.model_validate({"device_id": "endpoint_1", "events": [event()]}))
    register(registry, "endpoint_2")
    registry.remove("endpoint_2")
    with sqlite3.connect(database_file) as connection:
        connection.execute("UPDATE devices SET device_id = 'endpoint_2'")
        connection.execute("UPDATE events SET device_id = 'endpoint_2'")
    connection.close()
    clock.now += DAY_S
    registry = open_registry()
    assert set(refusals(registry, events, "endpoint_2")) == {DeviceRemoved}
    assert events.last(1) == []
    (removal,) = registry.removed()
    assert (removal.tun_ipv4, removal.tun_ipv6) == FIRST
    assert (removal.at, removal.free_at) == (clock.now, clock.now + DAY_S)
    assert register(registry, "endpoint_3") == SECOND


THE_RELEASE_BEFORE = """
CREATE TABLE devices (
    device_id VARCHAR(64) NOT NULL, device_type VARCHAR(32) NOT NULL, name VARCHAR(128) NOT NULL,
    tun_ipv4 VARCHAR(15), tun_ipv6 VARCHAR(39), internal_ip VARCHAR(64), external_ip VARCHAR(64),
    port INTEGER, ports TEXT, version VARCHAR(64), registered_at FLOAT NOT NULL,
    last_seen FLOAT NOT NULL, last_status TEXT, config_version INTEGER NOT NULL,
    config TEXT NOT NULL,
    PRIMARY KEY (device_id), UNIQUE (tun_ipv4), UNIQUE (tun_ipv6)
);
CREATE TABLE events (
    id INTEGER NOT NULL, device_id VARCHAR(64) NOT NULL, number INTEGER NOT NULL,
    at FLOAT NOT NULL, content TEXT NOT NULL,
    PRIMARY KEY (id), UNIQUE (device_id, number, at)
);
CREATE INDEX events_of_device ON events (device_id, id);
INSERT INTO devices VALUES ('endpoint_1', 'network_access_endpoint', 'one', '10.10.100.1',
    'fd00:100::1', NULL, NULL, NULL, NULL, '1.0.0', 1.0, 2.0, NULL, 3, '{}');
"""


def test_the_file_of_the_release_before_goes_on_working_and_stays_one(
    open_registry: Open, database_file: Path, request: pytest.FixtureRequest
) -> None:
    def tables() -> set[tuple[str, str]]:
        with sqlite3.connect(database_file) as connection:
            found = set(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql != ''"))
        connection.close()
        return found

    with sqlite3.connect(database_file) as connection:
        connection.executescript(THE_RELEASE_BEFORE)
    connection.close()
    before = tables()
    registry = open_registry()
    registry.remove("endpoint_1")
    assert set(refusals(registry, request.getfixturevalue("events"))) == {DeviceRemoved}
    assert before <= tables()
    assert {name for name, _sql in tables() - before} == {"removed_devices"}
