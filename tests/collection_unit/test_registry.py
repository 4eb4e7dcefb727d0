"""The program that copies a controller's registry and puts it back, on databases like its own."""

from __future__ import annotations

import base64
import contextlib
import json
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "roles/common/files/registry.py"
TABLE = (
    "CREATE TABLE devices (device_id TEXT, tun_ipv4 TEXT, tun_ipv6 TEXT, last_seen REAL,"
    " config TEXT DEFAULT '{}', config_version INTEGER DEFAULT 0)"
)
DEVICES = {"endpoint_1": "10.10.100.1", "router_1": None}


def write(file: Path, devices: Mapping[str, str | None]) -> sqlite3.Connection:
    """A registry as a service has it open, with nothing yet in the file itself."""
    database = sqlite3.connect(file, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute(TABLE)
    rows = [(device, address, None, 1.0) for device, address in devices.items()]
    database.executemany("INSERT INTO devices VALUES (?, ?, ?, ?, '{}', 0)", rows)
    return database


def read(file: Path) -> dict[str, str | None]:
    with contextlib.closing(sqlite3.connect(file)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return dict(database.execute("SELECT device_id, tun_ipv4 FROM devices"))


def run(command: str, file: Path, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.read_text(), command, file],
        input=json.dumps(given or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    result: dict[str, Any] = json.loads(ended.stdout)
    return result


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "state" / "registry.sqlite3"


@pytest.fixture
def copied(registry: Path) -> dict[str, Any]:
    """A copy of one that is in use, in the middle of a transaction."""
    with contextlib.closing(write(registry, DEVICES)) as database:
        database.execute("BEGIN IMMEDIATE")
        database.execute("DELETE FROM devices")
        found = run("copy", registry)
        database.execute("ROLLBACK")
    assert {path.name for path in registry.parent.iterdir()} == {registry.name}
    return found


def test_a_copy_of_one_in_use_is_whole(copied: dict[str, Any], tmp_path: Path) -> None:
    other = tmp_path / "copy"
    other.write_bytes(base64.b64decode(copied["registry"]))
    assert read(other) == DEVICES


def test_there_may_be_none(registry: Path) -> None:
    assert run("copy", registry) == {"registry": None}
    assert run("copy", registry.parent / "none" / "x") == {"registry": None}


def test_when_devices_were_seen_is_no_difference(copied: dict[str, Any], registry: Path) -> None:
    with contextlib.closing(sqlite3.connect(registry)) as database, database:
        database.execute("UPDATE devices SET last_seen = 2.0, config_version = 7")
    assert run("compare", registry, copied) == {"state": "same", "differing": []}


def test_other_devices_or_addresses_are(copied: dict[str, Any], registry: Path) -> None:
    with contextlib.closing(sqlite3.connect(registry)) as database, database:
        database.execute("UPDATE devices SET tun_ipv4 = '10.10.100.9' WHERE tun_ipv4 NOT NULL")
        database.execute("INSERT INTO devices VALUES ('router_2', NULL, NULL, 1.0, '{}', 0)")
    differing = ["endpoint_1", "router_2"]
    assert run("compare", registry, copied) == {"state": "other", "differing": differing}


def test_other_pushed_configuration_is(copied: dict[str, Any], registry: Path) -> None:
    """As where the devices have registered anew with a controller that had lost them."""
    with contextlib.closing(sqlite3.connect(registry)) as database, database:
        database.execute("UPDATE devices SET config = '[]' WHERE device_id = 'router_1'")
    found = run("compare", registry, copied)
    assert found == {"state": "other", "differing": ["router_1"]}


@pytest.mark.parametrize("others", [True, False])
def test_devices_that_stay_out_are(copied: dict[str, Any], registry: Path, others: bool) -> None:
    """They would register again, and the last one that was removed leaves no device behind."""
    with contextlib.closing(sqlite3.connect(registry)) as database, database:
        database.execute("CREATE TABLE removed_devices (device_id TEXT, readmitted BOOLEAN)")
        database.execute("INSERT INTO removed_devices VALUES ('router_1', 1)")
        database.commit()
        assert run("compare", registry, copied)["state"] == "same"
        database.execute("INSERT INTO removed_devices VALUES ('endpoint_2', 0)")
        if not others:
            database.execute("DELETE FROM devices")
    differing = ["endpoint_2"] if others else ["endpoint_1", "endpoint_2", "router_1"]
    assert run("compare", registry, copied) == {"state": "other", "differing": differing}


@pytest.mark.parametrize("lost", ["gone", "empty", "damaged", "no devices", "its directory"])
def test_where_devices_are_lost_nothing_is_compared(
    copied: dict[str, Any], registry: Path, lost: str
) -> None:
    if lost == "no devices":
        with contextlib.closing(sqlite3.connect(registry)) as database, database:
            database.execute("DELETE FROM devices")
    elif lost in {"empty", "damaged"}:
        registry.write_bytes(b"" if lost == "empty" else b"x" * 4096)
    else:
        registry.unlink()
    if lost == "its directory":
        registry.parent.rmdir()
    found = run("compare", registry, copied)
    assert found == {"state": "none", "differing": sorted(DEVICES)}


def test_what_is_put_back_has_nothing_of_the_one_before(
    copied: dict[str, Any], registry: Path
) -> None:
    registry.unlink()
    with contextlib.closing(write(registry, {"router_9": None})):
        # As after a crash: what it has is beside the file.
        run("put", registry, {**copied, "check": True})
        assert read(registry) == {"router_9": None}
        run("put", registry, {**copied, "check": False})
        assert read(registry) == DEVICES
    assert read(registry) == DEVICES
    assert stat.S_IMODE(registry.stat().st_mode) == 0o600
    assert read(registry.with_name("registry.sqlite3.replaced")) == {"router_9": None}


def test_each_one_that_is_replaced_is_kept(copied: dict[str, Any], registry: Path) -> None:
    for device in ("router_7", "router_8", "router_9"):
        registry.unlink()
        write(registry, {device: None}).close()
        run("put", registry, {**copied, "check": False})
    for device, end in (("router_7", ""), ("router_8", ".2"), ("router_9", ".3")):
        assert read(registry.with_name(f"registry.sqlite3.replaced{end}")) == {device: None}
