# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a backup holds, and what of it is to be put back.

A tar archive (gzip) of regular files. Names of files are relative paths with slashes:

    secrets/psk                 the secrets directory of the control node
    secrets/certificates/...
    registries/HOST             a controller's registry, an SQLite database
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import sqlite3
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SECRETS, REGISTRIES = "secrets/", "registries/"
_LASTING = ("psk", "signing_key", "ca_key", "ca.pem", "public_keys", "issued_tokens", "revocations")
"""What no run takes away from a secrets directory again."""
_LEDGER, _REVOCATIONS, _CERTIFICATES = "issued_tokens", "revocations", "certificates/"
_PSK, _OF_A_ROTATION = "psk", ("previous_psk", "key_epoch")
_FIXED_TIME = 0


class NoBackup(ValueError):
    """These bytes are no backup; the text says why."""


@dataclass(frozen=True)
class Restoring:
    """What is to be done with the secrets of a backup, by their names within the directory."""

    missing: dict[str, bytes] = field(default_factory=dict)
    """Those that are not there, and a list of revocations that is later than the one there."""
    different: dict[str, bytes] = field(default_factory=dict)
    """Those that are there with another content."""
    kept: list[str] = field(default_factory=list)
    """Those that are there with another content and go on: they only grow, or are made anew."""


def files(directory: Path) -> dict[str, bytes]:
    """The files below a directory that are not hidden, by relative path. Raises OSError."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not any(n[0] == "." for n in path.relative_to(directory).parts)
    }


def packed(content: Mapping[str, bytes]) -> bytes:
    """The archive of files by their names."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, data in sorted(content.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(data), 0o600, _FIXED_TIME
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def unpacked(archive: bytes) -> dict[str, bytes]:
    """The files of an archive by their names. Raises NoBackup."""
    found = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as members:
            for member in members:
                stream = members.extractfile(member)
                if stream is None or not _is_ours(member.name):
                    raise NoBackup("%r is in it, which no backup holds" % member.name)
                found[member.name] = stream.read()
    except (tarfile.TarError, OSError, EOFError, KeyError) as error:
        raise NoBackup("it holds no archive (%s)" % error) from None
    return found


def lost(before: Mapping[str, bytes], present: Mapping[str, bytes]) -> list[str]:
    """The secrets of an earlier backup that are there no more, although they last."""
    names = (SECRETS + name for name in _LASTING)
    return [name for name in names if name in before and name not in present]


def devices(registry: bytes) -> int:
    """How many devices a registry has; none where it is damaged. Raises OSError."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "registry")
        file.write_bytes(registry)
        try:
            with contextlib.closing(sqlite3.connect(file)) as database:
                return int(database.execute("SELECT count(*) FROM devices").fetchone()[0])
        except sqlite3.Error:
            return 0


def restoring(
    backup: Mapping[str, bytes], present: Mapping[str, bytes], *, replace: bool
) -> Restoring:
    """How secrets of a backup go to those that are `present`; both by names in the directory.

    The list of revocations is the later one in any case, as services take no older one. A PSK that
    was retired since does not come back beside the one that is there, nor the epoch that it was
    being changed to.
    """
    wanted = Restoring()
    for name, data in sorted(backup.items()):
        if name not in present:
            if name not in _OF_A_ROTATION or _PSK not in present or replace:
                wanted.missing[name] = data
        elif present[name] == data:
            continue
        elif name == _REVOCATIONS:
            if _number(data) > _number(present[name]):
                wanted.missing[name] = data
            else:
                wanted.kept.append(name)
        elif not replace and (name == _LEDGER or name.startswith(_CERTIFICATES)):
            wanted.kept.append(name)
        else:
            wanted.different[name] = data
    return wanted


def _number(revocations: bytes) -> int:
    """Of a signed list (nrs.identity.revocations), unverified; 0 where it is damaged."""
    try:
        claims = revocations.split(b".")[1]
        number = json.loads(base64.urlsafe_b64decode(claims + b"=" * (-len(claims) % 4)))["number"]
        return int(number)
    except (ValueError, LookupError, TypeError):
        return 0


def _is_ours(name: str) -> bool:
    top, *rest = name.split("/")
    known = f"{top}/" in (SECRETS, REGISTRIES)
    return known and bool(rest) and all(part and part[0] != "." for part in rest)
