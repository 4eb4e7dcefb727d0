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

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SECRETS, REGISTRIES = "secrets/", "registries/"
_GROWING = ("issued_tokens", "revocations")
"""Of what services and devices have seen since, the backup knows nothing."""
_FIXED_TIME = 0


class NoBackup(ValueError):
    """These bytes are no backup; the text says why."""


@dataclass(frozen=True)
class Restoring:
    """What is to be done with the secrets of a backup, by their names within the directory."""

    missing: dict[str, bytes] = field(default_factory=dict)
    different: dict[str, bytes] = field(default_factory=dict)
    """Those that are there with another content."""
    kept: list[str] = field(default_factory=list)
    """Those that are there with another content and go on, as they only grow."""


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


def restoring(
    backup: Mapping[str, bytes], present: Mapping[str, bytes], *, replace: bool
) -> Restoring:
    """How secrets of a backup go to those that are `present`; both by names in the directory."""
    differ = {n: data for n, data in backup.items() if n in present and present[n] != data}
    kept = [] if replace else sorted(set(differ).intersection(_GROWING))
    return Restoring(
        missing={n: data for n, data in backup.items() if n not in present},
        different={n: data for n, data in differ.items() if n not in kept},
        kept=kept,
    )


def _is_ours(name: str) -> bool:
    top, *rest = name.split("/")
    known = f"{top}/" in (SECRETS, REGISTRIES)
    return known and bool(rest) and all(part and part[0] != "." for part in rest)
