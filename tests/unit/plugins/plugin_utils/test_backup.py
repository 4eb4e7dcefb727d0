# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a backup holds, and what of it goes back."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import sqlite3
import tarfile
from pathlib import Path

import pytest
from ansible_collections.nrs.network_routing.plugins.plugin_utils import _backup

CONTENT = {"secrets/psk": b"k", "secrets/certificates/lb.key": b"c", "registries/lb": b"\x00\xff"}


def revocations(number: int) -> bytes:
    claims = base64.urlsafe_b64encode(json.dumps({"number": number}).encode()).rstrip(b"=")
    return b"e30." + claims + b".c2ln"


def archive(name: str, kind: bytes = tarfile.REGTYPE) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as made:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/passwd"
        made.addfile(member, io.BytesIO(b""))
    return stream.getvalue()


def test_what_is_packed_comes_out() -> None:
    assert _backup.unpacked(_backup.packed(CONTENT)) == CONTENT


@pytest.mark.parametrize(
    "other",
    [
        b"",
        b"no archive",
        _backup.packed(CONTENT)[:40],
        archive("secrets/../../etc/passwd"),
        archive("/etc/passwd"),
        archive("secrets/.gitignore"),
        archive("secrets"),
        archive("other/psk"),
        archive("secrets/psk", tarfile.SYMTYPE),
        archive("secrets/psk", tarfile.DIRTYPE),
    ],
    # An archive has the second in it in which it was made.
    ids=(
        "nothing",
        "text",
        "cut off",
        "a way out",
        "from the top",
        "hidden",
        "a directory's name",
        "another",
        "a link",
        "a directory",
    ),
)
def test_what_is_no_backup_is_refused(other: bytes) -> None:
    with pytest.raises(_backup.NoBackup):
        _backup.unpacked(other)


def test_hidden_files_and_temporary_ones_are_left_out(tmp_path: Path) -> None:
    for name in (".gitignore", ".psk.new", "psk", "certificates/.x/key", "certificates/lb.key"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    found = {"psk": b"psk", "certificates/lb.key": b"certificates/lb.key"}
    assert _backup.files(tmp_path) == found
    assert _backup.files(tmp_path / "none") == {}


def test_only_what_is_missing_is_put_back() -> None:
    backup = {"psk": b"1", "ca_key": b"2", "issued_tokens": b"3"}
    assert _backup.restoring(backup, {}, replace=False).missing == backup
    assert _backup.restoring(backup, backup, replace=True) == _backup.Restoring()
    present = {"psk": b"1", "signing_key": b"4"}
    wanted = _backup.restoring(backup, present, replace=False)
    assert (sorted(wanted.missing), wanted.different) == (["ca_key", "issued_tokens"], {})


@pytest.mark.parametrize("replace", [False, True])
def test_what_differs_is_told_from_what_grows(replace: bool) -> None:
    backup = {"psk": b"1", "issued_tokens": b"2", "certificates/lb.key": b"3"}
    wanted = _backup.restoring(backup, dict.fromkeys(backup, b"0"), replace=replace)
    assert wanted.different == (backup if replace else {"psk": b"1"})
    assert wanted.kept == ([] if replace else ["certificates/lb.key", "issued_tokens"])


@pytest.mark.parametrize("replace", [False, True])
def test_the_later_list_of_revocations_goes_on(replace: bool) -> None:
    earlier, later = {"revocations": revocations(9)}, {"revocations": revocations(10)}
    assert _backup.restoring(later, earlier, replace=replace) == _backup.Restoring(missing=later)
    kept = _backup.Restoring(kept=["revocations"])
    assert _backup.restoring(earlier, later, replace=replace) == kept
    for damaged in (b"", b"a.b.c", b"a.W10.c", b"a.e30.c"):
        present = {"revocations": damaged}
        assert _backup.restoring(later, present, replace=replace).missing == later


def test_a_retired_psk_comes_back_only_with_the_one_after_it() -> None:
    backup = {"psk": b"1", "previous_psk": b"0", "key_epoch": b"1"}
    assert _backup.restoring(backup, {"psk": b"1"}, replace=False) == _backup.Restoring()
    assert _backup.restoring(backup, {}, replace=False).missing == backup
    retired = {"previous_psk": b"0", "key_epoch": b"1"}
    assert _backup.restoring(backup, {"psk": b"1"}, replace=True).missing == retired


def test_what_lasts_is_missed() -> None:
    lasting = ["psk", "signing_key", "ca_key", "ca.pem", "public_keys"]
    lasting += ["issued_tokens", "revocations"]
    passing = ["previous_psk", "certificates/lb.key"]
    before = {f"secrets/{name}": b"1" for name in (*lasting, *passing)} | {"registries/lb": b"2"}
    assert _backup.lost(before, {}) == [f"secrets/{name}" for name in lasting]
    assert _backup.lost(before, dict.fromkeys(before, b"other")) == []
    assert _backup.lost({}, before) == []


def test_devices_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "registry"
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE devices (device_id TEXT)")
        database.execute("INSERT INTO devices VALUES ('a'), ('b')")
        database.commit()
    assert _backup.devices(file.read_bytes()) == 2
    assert [_backup.devices(damaged) for damaged in (b"", b"x" * 4096)] == [0, 0]
