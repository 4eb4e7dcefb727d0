# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build, on the control node, the archive of wheels that each kind of host installs from.

A host needs no network: the archive holds the agents' wheel, everything that it runs on
and pip. An archive that fits is left alone, so a control node that has one needs no
network either, nor does one whose hosts have all that they are to have. Prints one JSON object,
in which KIND is as it was given (release_choice.py):
{"changed", "version", "protocol",
 "releases": {KIND: {"stamp", "codec", "refused", "archive", "lack"}}};
"protocol" is the number of the tunnels', "lack" is why the codec cannot be built in C here, if it
cannot.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path

from release_choice import PYTHON, C, Kind, choose

# glibc 2.28 is older than that of every distribution with Python 3.10 or newer.
_PLATFORMS = (
    "manylinux_2_5",
    "manylinux1",
    "manylinux_2_12",
    "manylinux2010",
    "manylinux_2_17",
    "manylinux2014",
    "manylinux_2_28",
)
# What the wheel is made of and nothing else, so that the same agents have the same name in a
# checkout, with its tests and caches, and in an installed collection.
_SOURCES = (
    "pyproject.toml",
    "setup.py",
    "README.md",
    "requirements.lock",
    "NOTICE",
    "codec/**/*.[ch]",
    "codec/build.py",
    "nrs/**/*.py",
    "nrs/py.typed",
)
_AGENTS_WHEEL = "network_routing_agents-"
_BUILDS_KEPT = 3
_COMPILER_HINT = "on Debian and Ubuntu: apt install gcc python3-dev libssl-dev"
# A wheel is a zip, which knows no earlier year: the same sources give the same wheel.
_SOURCE_DATE_EPOCH = "315532800"


class BuildError(Exception):
    """What the operator has to put right."""


def source_files(source: Path) -> list[Path]:
    """Every file that the agents' wheel and the archive are made from, in a fixed order."""
    return sorted(path for pattern in _SOURCES for path in source.glob(pattern))


def digest(source: Path, files: list[Path]) -> str:
    """A short name for exactly these sources, built by exactly this program."""
    total = hashlib.sha256(Path(__file__).read_bytes())
    for path in files:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(source)} {content}\n".encode())
    return total.hexdigest()[:16]


def compiler_lack() -> str:
    """What this control node lacks to build the C codec; empty where it has everything."""
    command = ["cc", f"-I{sysconfig.get_path('include')}", "-fsyntax-only", "-xc", "-"]
    headers = "#include <Python.h>\n#include <openssl/sha.h>\n"
    try:
        done = subprocess.run(command, input=headers, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return f"no C compiler here; {_COMPILER_HINT}"
    if done.returncode == 0:
        return ""
    header = "Python.h" if "Python.h" in done.stderr else "openssl/sha.h"
    return f"no {header} here; {_COMPILER_HINT}"


def version(source: Path) -> str:
    """The agents' version. Raises BuildError."""
    return stated(source / "pyproject.toml", r'^version = "([^"]+)"$', "version")


def protocol(source: Path) -> int:
    """The number of the protocol that their tunnels speak. Raises BuildError."""
    return int(stated(source / "nrs/tunnel/wire.py", r"^VERSION = (\d+)$", "VERSION"))


def stated(file: Path, pattern: str, name: str) -> str:
    """What a line of a file says. Raises BuildError."""
    found = re.search(pattern, file.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise BuildError(f"{file} names no {name}")
    return found.group(1)


def pip(*arguments: str, **variables: str) -> None:
    """Run pip with more environment variables. Raises BuildError with what it said."""
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": _SOURCE_DATE_EPOCH, **variables}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        if "No module named pip" in said:
            said += "; install it on this control node (Debian, Ubuntu: apt install python3-pip)"
        raise BuildError(f"pip {arguments[0]}: {said}")


def download(lock: Path, target: str, cache: Path) -> Path:
    """The locked wheels for `target`, fetched once for each lock. Raises BuildError."""
    locked = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    wheels = cache / "downloads" / f"{locked}-{target}"
    if wheels.is_dir():
        return wheels
    python, machine = target.split("-", 1)
    wheels.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=wheels.parent) as temporary:
        fetched = Path(temporary) / "wheels"
        # The lock is complete: looking no further keeps the markers of this interpreter,
        # which may be newer than the host's, out of the choice.
        pip(
            "download",
            "--no-deps",
            "--require-hashes",
            "--only-binary=:all:",
            "--implementation=cp",
            f"--python-version={python}",
            *(f"--platform={platform}_{machine}" for platform in _PLATFORMS),
            f"--dest={fetched}",
            f"--requirement={lock}",
        )
        fetched.rename(wheels)
    return wheels


def build_agents(
    source: Path, files: list[Path], tools: Path, directory: Path, *, codec: bool
) -> Path:
    """Build the agents' wheel by the locked tools. Raises BuildError."""
    copy = directory / "source"
    for path in files:
        destination = copy / path.relative_to(source)
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, destination)
    built = directory / "built"
    pip(
        "wheel",
        "--no-deps",
        "--no-index",
        f"--find-links={tools}",
        f"--wheel-dir={built}",
        str(copy),
        NRS_BUILD_CODEC="1" if codec else "0",
    )
    return next(built.glob("*.whl"))


def codec_lack(target: str) -> str:
    """Why the hosts of `target` have to do without the C codec; empty where they need not.

    It is one binary for every Python 3, but for one kind of processor.
    """
    machine, here = target.partition("-")[2], platform.machine()
    if machine != here:
        return f"the hosts are {machine}, this control node is {here}"
    if platform.system() != "Linux":
        return f"this control node runs {platform.system()}"
    return compiler_lack()


def agents_of(archive: Path, directory: Path) -> Path:
    """The agents' wheel out of an archive."""
    with tarfile.open(archive) as tar:
        (name,) = (name for name in tar.getnames() if name.startswith(_AGENTS_WHEEL))
        stream = tar.extractfile(name)
        if stream is None:
            raise BuildError(f"{archive}: {name} is no file")
        with stream, (directory / name).open("wb") as wheel:
            shutil.copyfileobj(stream, wheel)
    return directory / name


def pack(members: list[Path], archive: Path) -> None:
    """Write `members` into `archive`, which appears whole or not at all."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=archive.parent)
    with os.fdopen(handle, "wb") as stream, tarfile.open(fileobj=stream, mode="w") as tar:
        for member in members:
            tar.add(member, arcname=member.name)
    Path(temporary).replace(archive)


def prune(cache: Path, keep: str) -> None:
    """Remove all builds but `keep` and the newest others."""
    builds = sorted(
        (path for path in (cache / "builds").iterdir() if path.name != keep),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
    for old in builds[_BUILDS_KEPT - 1 :]:
        shutil.rmtree(old)


class Target:
    """The archives for one kind of interpreter and processor, and why none has the codec in C."""

    def __init__(self, name: str, directory: Path) -> None:
        self._name, self._directory = name, directory
        # A failed build of the codec is not tried again with every run.
        self._failed = directory / f"{name}.failed"
        self.lack = "" if self._with_codec() else self._why_not()

    def _with_codec(self) -> list[Path]:
        """Archives that have the codec, the own one first: for other Pythons it is the same."""
        machine = self._name.partition("-")[2]
        own = self.archive(C)
        others = sorted(path for path in self._directory.glob(f"*-{machine}.tar") if path != own)
        return [path for path in (own, *others) if path.is_file()]

    def _why_not(self) -> str:
        if self._failed.is_file():
            return (
                f"{self._failed.read_text(encoding='utf-8')} (to try again, remove {self._failed})"
            )
        return codec_lack(self._name)

    def archive(self, codec: str) -> Path:
        """Where the one with that codec is, or is going to be."""
        return self._directory / f"{self._name}{'-python' if codec == PYTHON else ''}.tar"

    def build(self, codec: str, source: Path, files: list[Path], cache: Path) -> None:
        """Make that archive, or learn what is lacked for it. Raises BuildError, OSError."""
        lock = source / "requirements.lock"
        wheels = download(lock, self._name, cache)
        with tempfile.TemporaryDirectory() as temporary:
            directory = Path(temporary)
            found = self._with_codec()
            if codec == PYTHON:
                agents = build_agents(source, files, wheels, directory, codec=False)
            elif found:
                agents = agents_of(found[0], directory)
            else:
                try:
                    # cffi, which builds the codec, runs on this control node's Python.
                    tools = download(lock, own_target(), cache)
                    agents = build_agents(source, files, tools, directory, codec=True)
                except BuildError as error:
                    self.lack = f"it could not be built: {' '.join(str(error).split())[:300]}"
                    self._failed.parent.mkdir(parents=True, exist_ok=True)
                    self._failed.write_text(self.lack, encoding="utf-8")
                    return
            pack([agents, *sorted(wheels.glob("*.whl"))], self.archive(codec))


def own_target() -> str:
    """What this control node is, named as targets are."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}-{platform.machine()}"


def run(source: Path, cache: Path, names: list[str], *, dry_run: bool) -> dict[str, object]:
    """Bring about what hosts of the kinds `names` need. Raises BuildError, OSError."""
    files = source_files(source)
    build, release = digest(source, files), version(source)
    kinds = {name: Kind.parse(name) for name in names}
    targets = {k.target: Target(k.target, cache / "builds" / build) for k in kinds.values()}
    changed = False
    while True:
        choices = {
            name: choose(kind, release, build, targets[kind.target].lack)
            for name, kind in kinds.items()
        }
        absent = [
            (targets[kinds[name].target], choice.codec)
            for name, choice in choices.items()
            if not choice.refused
            and choice.stamp != kinds[name].release
            and not targets[kinds[name].target].archive(choice.codec).is_file()
        ]
        changed = changed or bool(absent)
        if not absent or dry_run:
            break
        # What is lacked may be known only then, and the choice another one.
        absent[0][0].build(absent[0][1], source, files, cache)
    if changed and not dry_run:
        prune(cache, build)
    return {
        "changed": changed,
        "version": release,
        "protocol": protocol(source),
        "releases": {
            name: {
                **dataclasses.asdict(choice),
                "archive": str(targets[kinds[name].target].archive(choice.codec)),
                "lack": targets[kinds[name].target].lack,
            }
            for name, choice in choices.items()
        },
    }


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="directory of pyproject.toml")
    parser.add_argument("--cache", type=Path, required=True, help="where archives are kept")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be built")
    parser.add_argument("kinds", nargs="+", metavar="KIND", help="such as 3.11-x86_64")
    options = parser.parse_args()
    try:
        result = run(options.source, options.cache, options.kinds, dry_run=options.dry_run)
    except (BuildError, OSError) as error:
        print(f"the wheelhouse cannot be built: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
