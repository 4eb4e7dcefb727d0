# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change the release that this host's agents are started from, in a way that can be undone.

Usage: release_change.py DIRECTORY FILES UNITS VERB [NAME]: where the releases, the agents' files
and systemd's units are.

    begin [NAME]   note the present release, with files, keys and units that go with it, in
                   `unfinished`, for whoever comes after; what is noted already stays. NAME is
                   the one that it goes back to, if it does
    forward NAME   start agents from NAME; the one noted is `previous`
    back NAME      the same to an earlier one, with its units, with its files where it refuses
                   those that are there, and with its keys where its tunnel protocol is another one
    undo           go back to what was noted; prints its stamp and its units as JSON
    end            forget what was noted; files and units stay with the release left, and keys of
                   tunnels where these are of another protocol, by which keys are made

A change that `end` has not been reached of is unfinished, and the next run's to complete or undo.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

UNITS = ("load_balancer", "network_controller", "routing_server", "network_access_endpoint")
TUNNEL_KEYS = (
    "psk",
    "previous_psk",
    "router_key",
    "previous_router_key",
    "device_key",
    "device_keys",
)
KEYS = (*TUNNEL_KEYS, "state_password")


def copy(source: Path, place: Path) -> None:
    """Put a file, with its owner and mode, into `place` in one step."""
    found = source.stat()
    temporary = place.with_name(f".{place.name}.new")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(source.read_bytes())
        os.fchown(stream.fileno(), found.st_uid, found.st_gid)
        os.fchmod(stream.fileno(), found.st_mode & 0o777)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(place)


def point(link: Path, name: str) -> None:
    """Make `link` point to the release `name` in one step; without a name it goes."""
    temporary = link.with_name(f".{link.name}.new")
    temporary.unlink(missing_ok=True)
    if name:
        temporary.symlink_to(f"releases/{name}")
        temporary.replace(link)
    else:
        link.unlink(missing_ok=True)


def has_keys(directory: Path) -> bool:
    """Whether it has keys of tunnels."""
    return any((directory / key).is_file() for key in TUNNEL_KEYS)


class Change:
    """What the host has, and what was noted of it."""

    def __init__(self, directory: Path, files: Path, units: Path) -> None:
        self._directory, self._files, self._units = directory, files, units
        self._noted = directory / "unfinished"

    def begin(self, back_to: str = "") -> None:
        if self._noted.is_dir():
            return
        new = self._noted.with_name(".unfinished.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        for unit in self._present_units():
            copy(self._units / f"{unit}.service", new / f"{unit}.service")
        for name in (*(f"{unit}.yaml" for unit in UNITS), *KEYS):
            if (self._files / name).is_file():
                copy(self._files / name, new / name)
        (new / "from").write_text(self._linked("current") + "\n", encoding="utf-8")
        (new / "previous").write_text(self._linked("previous") + "\n", encoding="utf-8")
        if back_to:
            (new / "back_to").write_text(back_to + "\n", encoding="utf-8")
        new.rename(self._noted)

    def forward(self, name: str) -> None:
        self._whole(name)
        before = self._note("from")
        point(self._directory / "previous", before if before != name else self._note("previous"))
        point(self._directory / "current", name)

    def back(self, name: str) -> None:
        """Nothing is changed where it takes neither the files that are there nor its own.

        Nor where its tunnel protocol is another one, and keys of it are not kept.
        """
        kept = self._whole(name) / "kept"
        present = self._present_units()
        refused = {unit: said for unit in present if (said := self._refuses(name, unit))}
        for unit, said in refused.items():
            if not (kept / f"{unit}.yaml").is_file():
                sys.exit(f"{name} refuses the present {unit}.yaml, and has none of its own: {said}")
            if said := self._refuses(name, unit, kept / f"{unit}.yaml"):
                sys.exit(f"{name} refuses the present {unit}.yaml and its own: {said}")
        other = self._differs(name, self._linked("current"))
        if other and has_keys(self._files) and not has_keys(kept):
            protocol = self._protocol(name)
            sys.exit(f"{name} has tunnel protocol {protocol}, and no keys of it are kept")
        for key in TUNNEL_KEYS if other else ():
            if (kept / key).is_file():
                copy(kept / key, self._files / key)
            else:
                (self._files / key).unlink(missing_ok=True)
        for unit in present:
            if (kept / f"{unit}.service").is_file():
                copy(kept / f"{unit}.service", self._units / f"{unit}.service")
            if unit in refused:
                copy(kept / f"{unit}.yaml", self._files / f"{unit}.yaml")
        # Else a run that is repeated would lead forward again.
        point(self._directory / "previous", "")
        point(self._directory / "current", name)

    def undo(self) -> None:
        name, before = self._note("from"), self._note("previous")
        for key in KEYS:
            if not (self._noted / key).is_file():
                (self._files / key).unlink(missing_ok=True)
        for path in self._noted.iterdir():
            if path.suffix == ".service":
                copy(path, self._units / path.name)
            elif path.suffix == ".yaml" or path.name in KEYS:
                copy(path, self._files / path.name)
        stamp = (self._whole(name) / "release").read_text(encoding="utf-8").strip()
        point(self._directory / "current", name)
        known = before and (self._directory / "releases" / before).is_dir()
        point(self._directory / "previous", before if known else "")
        print(json.dumps({"release": stamp, "units": self._present_units(self._noted)}))

    def end(self) -> None:
        if not self._noted.is_dir():
            return
        left = self._directory / "releases" / self._note("from")
        if left.is_dir() and left.name != self._linked("current"):
            kept = left / "kept"
            shutil.rmtree(kept, ignore_errors=True)
            kept.mkdir(mode=0o700)
            keys = TUNNEL_KEYS if self._differs(left.name, self._linked("current")) else ()
            for path in self._noted.iterdir():
                if path.suffix in (".service", ".yaml") or path.name in keys:
                    copy(path, kept / path.name)
        done = self._noted.with_name(".unfinished.done")
        shutil.rmtree(done, ignore_errors=True)
        self._noted.rename(done)
        shutil.rmtree(done)

    def _present_units(self, where: Path | None = None) -> list[str]:
        return [u for u in UNITS if ((where or self._units) / f"{u}.service").is_file()]

    def _linked(self, link: str) -> str:
        path = self._directory / link
        return path.resolve().name if path.exists() else ""

    def _note(self, name: str) -> str:
        return (self._noted / name).read_text(encoding="utf-8").strip()

    def _protocol(self, name: str) -> str:
        """Of the tunnels of a release; those of the first one do not say."""
        file = self._directory / "releases" / name / "protocol"
        return file.read_text(encoding="utf-8").strip() if file.is_file() else "1"

    def _differs(self, one: str, other: str) -> bool:
        return self._protocol(one) != self._protocol(other)

    def _whole(self, name: str) -> Path:
        """Where a release is. Raises SystemExit where it is not."""
        place = self._directory / "releases" / name
        if not name or not (place / "release").is_file():
            sys.exit(f"there is no release {name} in {place.parent}")
        return place

    def _refuses(self, name: str, unit: str, file: Path | None = None) -> str:
        """What a release has against a unit's file; nothing where it takes it."""
        command = self._directory / "releases" / name / "bin" / "nrs"
        words = [command, "check-config", "--unit", unit, file or self._files / f"{unit}.yaml"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return done.stderr.strip() or "it says nothing" if done.returncode else ""


def main() -> None:
    """Do what the command line says."""
    directory, files, units = map(Path, sys.argv[1:4])
    verb, names = sys.argv[4], sys.argv[5:]
    os.umask(0o077)
    {
        "begin": Change.begin,
        "forward": Change.forward,
        "back": Change.back,
        "undo": Change.undo,
        "end": Change.end,
    }[verb](Change(directory, files, units), *names)


if __name__ == "__main__":
    main()
