# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copy a controller's registry, or put one in its place. Prints a JSON object.

Usage: registry.py COMMAND FILE, as root; FILE is only ever opened as its owner. Needs nothing but
Python's own SQLite, so that a host with any release, or none, can be asked.

copy     a copy, consistent also beside a running service: {"registry": BASE64}, null for none.
compare  FILE with {"registry": BASE64} on standard input: {"state": STATE, "differing": [ID, ...]}.
         "none": there is no FILE with devices, "same": the same devices with the same addresses
         and pushed configuration, and the same ones out, "other". Its version, and
         what devices were seen last, and when, is no difference.
put      {"registry": BASE64} in the place of FILE, with the service stopped; what was there is
         moved to FILE.replaced, or FILE.replaced.2 and so on. With "check": true nothing is done.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import sqlite3
import sys
import tempfile
from pathlib import Path

_BESIDE = ("", "-wal", "-shm")
_DEVICES = "SELECT device_id, tun_ipv4, tun_ipv6, config FROM devices"
_TABLE = "SELECT count(*) FROM sqlite_master WHERE name = 'removed_devices'"
_REMOVED = "SELECT device_id FROM removed_devices WHERE NOT readmitted"
Devices = set[tuple[str, ...]]


def copy(file: Path) -> dict[str, object]:
    """The registry as it is at one moment. Raises sqlite3.Error, OSError."""
    if not file.exists():
        return {"registry": None}
    with tempfile.TemporaryDirectory(dir=file.parent) as directory:
        target = Path(directory, "copy")
        with contextlib.closing(sqlite3.connect(file, timeout=10)) as database:
            database.execute("VACUUM INTO ?", (str(target),))
        devices(target)
        return {"registry": base64.b64encode(target.read_bytes()).decode()}


def compare(file: Path, registry: bytes) -> dict[str, object]:
    """How the file is to be told from a registry. Raises sqlite3.Error, OSError."""
    with tempfile.TemporaryDirectory() as directory:
        other = Path(directory, "other")
        other.write_bytes(registry)
        wanted = devices(other)
    try:
        present = devices(file) if file.exists() else set()
    except sqlite3.DatabaseError:
        present = set()  # damaged, or empty: no controller starts with it
    state = "other" if present else "none"
    if present == wanted:
        state = "same"
    return {"state": state, "differing": sorted({row[0] for row in present ^ wanted})}


def devices(file: Path) -> Devices:
    """Who is registered, with which addresses and configuration, and who is out, by id alone.

    A release that removed none has no table for them. Raises sqlite3.Error.
    """
    with contextlib.closing(sqlite3.connect(file, timeout=10)) as database:
        found = set(database.execute(_DEVICES))
        (has_removed,) = database.execute(_TABLE).fetchone()
        return found | set(database.execute(_REMOVED)) if has_removed else found


def put(file: Path, registry: bytes) -> None:
    """Whole, or not at all. Raises OSError."""
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(registry)
        stream.flush()
        os.fsync(stream.fileno())
    replaced = _free(file.with_name(f"{file.name}.replaced"))
    for end in _BESIDE:
        present = file.with_name(file.name + end)
        if present.exists():
            present.replace(file.with_name(replaced.name + end))
    new.replace(file)


def _free(first: Path) -> Path:
    numbered = (first.with_name(f"{first.name}.{number}") for number in itertools.count(2))
    return next(
        name
        for name in itertools.chain([first], numbered)
        if not any(name.with_name(name.name + end).exists() for end in _BESIDE)
    )


def _become(owner: os.stat_result) -> None:
    os.setgroups([])
    os.setgid(owner.st_gid)
    os.setuid(owner.st_uid)


def main() -> int:
    """Do what the command line says."""
    command, file = sys.argv[1], Path(sys.argv[2])
    given = {} if command == "copy" else json.load(sys.stdin)
    result: dict[str, object] = {}
    try:
        if os.geteuid() == 0 and file.parent.is_dir():
            _become(file.parent.stat())
        if command == "copy":
            result = copy(file)
        elif command == "compare":
            result = compare(file, base64.b64decode(given["registry"]))
        elif not given["check"]:
            put(file, base64.b64decode(given["registry"]))
    except (sqlite3.Error, OSError) as error:
        print(f"{file}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
