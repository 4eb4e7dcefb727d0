# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a backup holds, and what of it goes back."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from ansible_collections.nrs.network_routing.plugins.plugin_utils import _backup

CONTENT = {"secrets/psk": b"k", "secrets/certificates/lb.key": b"c", "registries/lb": b"\x00\xff"}


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
    backup = {"psk": b"1", "issued_tokens": b"2", "revocations": b"3"}
    wanted = _backup.restoring(backup, dict.fromkeys(backup, b"0"), replace=replace)
    assert wanted.different == (backup if replace else {"psk": b"1"})
    assert wanted.kept == ([] if replace else ["issued_tokens", "revocations"])
