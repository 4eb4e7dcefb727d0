"""The registry on a real file: what survives, what is never written, who wins."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from nrs.api.messages import Configuration, DeviceStatus, Registration
from nrs.controller import database
from nrs.controller.database import Database, StorageError
from nrs.controller.errors import AddressTaken, PoolExhausted, UnknownDevice
from nrs.controller.registry import Registry

from .conftest import Clock, configuration, endpoint, status, tunnel

Open = Callable[..., Registry]


def registration(device_id: str, **fields: Any) -> Registration:
    return Registration.model_validate(endpoint(device_id, **fields))


def register(registry: Registry, device_id: str, **fields: Any) -> tuple[str, str]:
    registered, _ = registry.register(registration(device_id, **fields))
    return str(registered.tun_ipv4), str(registered.tun_ipv6)


def report(registry: Registry, *, config_version: int) -> None:
    said = status("endpoint_1", tunnel("r1"), config_version=config_version)
    registry.record_status(DeviceStatus.model_validate(said))


def test_a_restart_keeps_devices_addresses_configuration_and_status(
    open_registry: Open, clock: Clock
) -> None:
    before = open_registry()
    first = register(before, "endpoint_1")
    register(before, "endpoint_2")
    version, _ = before.push("endpoint_1", {"metrics": {"report_interval": 5}})
    before.record_status(
        DeviceStatus.model_validate(status("endpoint_1", tunnel("r1"), config_version=1))
    )
    expected = before.devices()
    before.close()

    clock.now += 1000
    after = open_registry()
    assert after.devices() == expected
    assert after.configuration("endpoint_1") == (version, {"metrics": {"report_interval": 5}})
    assert register(after, "endpoint_1") == first
    assert register(after, "endpoint_3") == ("10.10.100.3", "fd00:100::3")


def test_versions_rise_also_where_the_clock_was_set_back(open_registry: Open, clock: Clock) -> None:
    registry = open_registry()
    register(registry, "endpoint_1")
    first, _ = registry.push("endpoint_1", {"tunnel": {"routes": []}})
    clock.now -= 1000
    assert registry.push("endpoint_1", {}) == (first + 1, True)


@pytest.mark.parametrize("config", [{}, {"tunnel": {"routes": []}}])
def test_a_push_outdoes_a_version_that_another_registry_has_given_out(
    open_registry: Open, clock: Clock, config: dict[str, Any]
) -> None:
    registry = open_registry()
    register(registry, "endpoint_1")
    report(registry, config_version=0)
    assert registry.push("endpoint_1", config)[1] == bool(config)
    later = int(clock.now) + 1000
    report(registry, config_version=later)
    assert registry.push("endpoint_1", config) == (later + 1, True)
    assert registry.push("endpoint_1", config) == (later + 1, False)


@pytest.mark.parametrize("config", [{}, {"tunnel": {"routes": []}}])
@pytest.mark.parametrize("ahead", [-1000, 1000])
def test_a_push_before_the_first_status_is_in_force_by_a_later_version(
    open_registry: Open, clock: Clock, config: dict[str, Any], ahead: int
) -> None:
    """As after the loss of a registry, whose versions may have been ahead of the time."""
    before = open_registry()
    register(before, "endpoint_1")
    pushed, changed = before.push("endpoint_1", config)
    assert (pushed, changed) == (int(clock.now), True)
    assert before.push("endpoint_1", config) == (pushed, False)
    before.close()
    registry = open_registry()
    running = int(clock.now) + ahead
    report(registry, config_version=running)
    wanted = max(pushed, running + 1)
    assert registry.configuration("endpoint_1") == (wanted, config)
    report(registry, config_version=wanted + 5)
    assert registry.configuration("endpoint_1") == (wanted, config), "of another registry"


def test_nothing_is_pushed_by_a_status(open_registry: Open) -> None:
    registry = open_registry()
    register(registry, "endpoint_1")
    report(registry, config_version=2**52 - 1)
    assert registry.configuration("endpoint_1") == (0, {})
    assert registry.push("endpoint_1", {}) == (2**52, True)


def test_no_device_uses_up_the_versions(open_registry: Open, clock: Clock) -> None:
    """A stolen one may say anything; the one in its place has to take what is pushed."""
    registry = open_registry()
    register(registry, "endpoint_1")
    for said in (2**53 - 1, 2**52 - 1, 2**53 - 1):
        registry.push("endpoint_1", {"metrics": {"report_interval": 5}})
        report(registry, config_version=said)
    for interval in range(6, 20):
        config = {"metrics": {"report_interval": interval}}
        before = registry.configuration("endpoint_1")[0]
        version, changed = registry.push("endpoint_1", config)
        assert changed
        assert before < version
        assert Configuration(version=version, config=config).version == version


def test_a_status_of_another_releases_form_does_not_stop_the_start(
    open_registry: Open, database_file: Path
) -> None:
    before = open_registry()
    register(before, "endpoint_1")
    before.close()
    with sqlite3.connect(database_file) as connection:
        connection.execute("UPDATE devices SET last_status = '{\"another\": 1}'")
    connection.close()
    assert open_registry().device("endpoint_1").reported is None


def test_devices_keep_addresses_when_the_pools_move(open_registry: Open) -> None:
    registry = open_registry()
    held = register(registry, "endpoint_1")
    registry.configure(configuration(tun_ipv4_pool={"base": "10.99.0.0", "start": 5, "end": 5}))
    assert register(registry, "endpoint_1") == held
    assert register(registry, "endpoint_2")[0] == "10.99.0.5"
    with pytest.raises(PoolExhausted):
        register(registry, "endpoint_3")


def test_an_exhausted_pool_of_one_family_costs_no_address_of_the_other(
    open_registry: Open, clock: Clock
) -> None:
    registry = open_registry(tun_ipv6_pool={"start": 1, "end": 1})
    register(registry, "endpoint_1")
    with pytest.raises(PoolExhausted) as exhausted:
        register(registry, "endpoint_2")
    assert exhausted.value.field == "tun_ipv6"
    with pytest.raises(UnknownDevice):
        registry.device("endpoint_2")
    assert register(registry, "endpoint_3", tun_ipv6="fd00::9") == ("10.10.100.2", "fd00::9")


def test_a_device_that_moves_to_another_address_frees_the_old_one(open_registry: Open) -> None:
    registry = open_registry()
    register(registry, "endpoint_1")
    assert register(registry, "endpoint_1", tun_ipv4="10.10.100.7")[0] == "10.10.100.7"
    assert register(registry, "endpoint_2")[0] == "10.10.100.1"
    assert register(registry, "endpoint_1")[0] == "10.10.100.7"


def test_stated_addresses_are_passed_over_by_the_allocation(open_registry: Open) -> None:
    registry = open_registry()
    register(registry, "router_1", tun_ipv4="10.10.100.1", tun_ipv6="fd00:100::1")
    assert register(registry, "endpoint_1") == ("10.10.100.2", "fd00:100::2")


@pytest.mark.parametrize(
    ("field", "address"), [("tun_ipv4", "10.10.100.1"), ("tun_ipv6", "fd00:100:0:0::1")]
)
def test_an_address_of_another_device_is_refused_however_it_is_written(
    open_registry: Open, field: str, address: str
) -> None:
    registry = open_registry()
    register(registry, "endpoint_1")
    before = register(registry, "endpoint_2")
    with pytest.raises(AddressTaken, match="endpoint_1") as taken:
        register(registry, "endpoint_2", **{field: address}, name="changed")
    assert taken.value.field == field
    device = registry.device("endpoint_2")
    assert (device.tun_ipv4, device.tun_ipv6) == before
    assert device.name == "name of endpoint_2"


def test_two_controllers_on_one_database_never_give_an_address_twice(open_registry: Open) -> None:
    # Each loads its free addresses at its start, and so is out of date from then on.
    registries = [open_registry(), open_registry()]
    with ThreadPoolExecutor(8) as executor:
        given = list(
            executor.map(lambda n: register(registries[n % 2], f"endpoint_{n}"), range(60))
        )
    assert len({v4 for v4, _ in given}) == len({v6 for _, v6 in given}) == 60
    for n, held in enumerate(given):
        assert register(registries[(n + 1) % 2], f"endpoint_{n}") == held


def test_a_device_registered_elsewhere_may_post_its_status_here(open_registry: Open) -> None:
    here, elsewhere = open_registry(), open_registry()
    register(elsewhere, "endpoint_1")
    here.record_status(DeviceStatus.model_validate(status("endpoint_1", tunnel("r1"))))
    assert [t.peer_id for t in here.device("endpoint_1").tunnels] == ["r1"]


def test_statuses_reach_the_file_in_a_flush_and_not_before(
    open_registry: Open, database_file: Path, clock: Clock
) -> None:
    registry = open_registry()
    for n in range(3):
        register(registry, f"endpoint_{n}")
    clock.now += 5
    for n in range(3):
        registry.record_status(DeviceStatus.model_validate(status(f"endpoint_{n}")))

    def stored() -> set[tuple[float, bool]]:
        connection = sqlite3.connect(database_file)
        rows = connection.execute("SELECT last_seen, last_status IS NOT NULL FROM devices")
        found = {(row[0], bool(row[1])) for row in rows}
        connection.close()
        return found

    assert stored() == {(clock.now - 5, False)}
    registry.flush()
    assert stored() == {(clock.now, True)}


def test_statuses_that_could_not_be_stored_are_stored_later_and_told_once(
    open_registry: Open, database_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    registry = open_registry()
    register(registry, "endpoint_1")
    registry.record_status(DeviceStatus.model_validate(status("endpoint_1", tunnel("r1"))))
    with contextlib.closing(sqlite3.connect(database_file)) as connection:
        with connection:
            connection.execute("ALTER TABLE devices RENAME TO away")
        registry.flush()
        registry.flush()
        with connection:
            connection.execute("ALTER TABLE away RENAME TO devices")
    registry.flush()
    told = [record.message for record in caplog.records if "statuses" in record.message]
    assert told == ["statuses are not stored: no such table: devices", "statuses are stored again"]
    assert open_registry().device("endpoint_1").reported is not None


def test_a_registration_that_changes_nothing_writes_nothing(
    open_registry: Open, database_file: Path
) -> None:
    registry = open_registry()
    register(registry, "endpoint_1")
    wal = database_file.with_name(database_file.name + "-wal")
    before = wal.read_bytes()
    register(registry, "endpoint_1")
    assert wal.read_bytes() == before


def test_the_file_is_durable_and_lets_readers_pass(
    open_registry: Open, database_file: Path
) -> None:
    database = Database(f"sqlite:///{database_file}")
    with database.reading() as session:
        connection = session.connection()
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        with database.writing():
            pass
    database.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be read as the header of one " * 20)
    with pytest.raises(StorageError, match=r"notes\.txt: file is not a database"):
        Database(f"sqlite:///{path}")


@pytest.mark.parametrize(
    ("destroy", "why"),
    [
        (lambda file: file.unlink(), "it is gone"),
        (lambda file: file.write_bytes(b""), "it is empty, and there were devices"),
        (lambda file: file.write_bytes(b"rubbish" * 1000), "file is not a database"),
        (lambda file: os.truncate(file, 8192), "malformed"),
        (lambda file: executed(file, "DELETE FROM devices"), "it has no devices, and there were"),
        (lambda file: executed(file, "DROP TABLE devices"), "it is empty, and there were devices"),
    ],
)
def test_a_registry_that_is_lost_is_not_begun_anew_by_itself(
    open_registry: Open, database_file: Path, destroy: Callable[[Path], Any], why: str
) -> None:
    before = open_registry()
    register(before, "endpoint_1")
    before.close()
    copy = database_file.read_bytes()
    destroy(database_file)
    for _ in range(2):
        with pytest.raises(StorageError) as raised:
            open_registry()
    assert why in str(raised.value)
    assert str(raised.value).startswith(f"cannot use {database_file}: ")
    assert str(raised.value).endswith(
        "; put a copy of it in its place, without registry.sqlite3-wal and registry.sqlite3-shm,"
        f" or begin without devices and pushed configuration: move {database_file}* away"
    )
    for part in database_file.parent.glob("registry.sqlite3-*"):
        part.unlink()
    database_file.write_bytes(copy)
    restored = open_registry()
    assert [device.device_id for device in restored.devices()] == ["endpoint_1"]
    restored.close()
    for part in database_file.parent.glob("registry.sqlite3*"):
        part.unlink()
    assert open_registry().devices() == []


def test_a_registry_without_devices_may_be_lost(open_registry: Open, database_file: Path) -> None:
    open_registry().close()
    database_file.unlink()
    assert open_registry().devices() == []


def test_a_start_says_how_many_devices_there_are(
    open_registry: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="nrs.controller")
    before = open_registry()
    register(before, "endpoint_1")
    register(before, "endpoint_2")
    before.close()
    caplog.clear()
    open_registry()
    assert caplog.messages == ["2 devices are registered"]


def test_what_could_not_be_written_is_said_until_something_can(
    open_registry: Open, database_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_LOCK_TIMEOUT_S", 0.1)
    registry = open_registry()
    register(registry, "endpoint_1")
    assert registry.unstored is None
    with contextlib.closing(sqlite3.connect(database_file)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError):
            register(registry, "endpoint_2")
        assert registry.unstored == "the registry is not stored: database is locked"
        registry.flush()
        assert registry.unstored is not None
    registry.flush()
    assert registry.unstored is None
    with pytest.raises(AddressTaken):
        register(registry, "endpoint_3", tun_ipv4="10.10.100.1")
    assert registry.unstored is None


def executed(file: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot create .*/file/below"):
        Database(f"sqlite:///{tmp_path}/file/below/registry.sqlite3")


def test_an_address_that_is_given_up_is_free_again(open_registry: Open) -> None:
    registry = open_registry()
    register(registry, "endpoint_1")
    assert register(registry, "endpoint_1", tun_ipv6="::") == ("10.10.100.1", "None")
    assert register(registry, "endpoint_2") == ("10.10.100.2", "fd00:100::1")


def test_the_table_of_an_earlier_release_takes_ports(
    open_registry: Open, database_file: Path
) -> None:
    before = open_registry()
    register(before, "router_1", port=51820)
    before.close()
    with contextlib.closing(sqlite3.connect(database_file)) as connection, connection:
        connection.execute("ALTER TABLE devices DROP COLUMN ports")
    after = open_registry()
    assert after.device("router_1").ports == [51820]
    register(after, "router_1", port=51820, ports=[51820, 443])
    assert after.device("router_1").ports == [51820, 443]


def test_the_table_of_an_earlier_release_takes_devices_with_one_family(
    open_registry: Open, database_file: Path
) -> None:
    before = open_registry()
    register(before, "endpoint_1")
    expected = before.devices()
    before.close()
    with contextlib.closing(sqlite3.connect(database_file)) as connection, connection:
        (made,) = connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'devices'"
        ).fetchone()
        for column in ("tun_ipv4 VARCHAR(15)", "tun_ipv6 VARCHAR(39)"):
            assert column in made
            made = made.replace(column, f"{column} NOT NULL")
        connection.execute("ALTER TABLE devices RENAME TO aside")
        connection.execute(made)
        connection.execute("INSERT INTO devices SELECT * FROM aside")
        connection.execute("DROP TABLE aside")
    after = open_registry()
    assert after.devices() == expected
    assert register(after, "endpoint_2", tun_ipv6="::") == ("10.10.100.2", "None")
    with pytest.raises(AddressTaken):
        register(after, "endpoint_3", tun_ipv4="10.10.100.1")
