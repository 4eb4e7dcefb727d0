"""The Python interpreters of this machine."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.report import Unusable

OLDEST_SUPPORTED = "3.10"
SUPPORTED = ("3.10", "3.11", "3.12", "3.13", "3.14")
# What the oldest supported ansible-core runs on, the oldest first, and what the newest does, Debian
# 13's first.
FOR_OLDEST_ANSIBLE = ("3.11", "3.12", "3.13")
FOR_NEWEST_ANSIBLE = ("3.13", "3.12", "3.14")
_WORKS = "import ctypes, ensurepip, sqlite3, ssl, venv, sys; print('%d.%d' % sys.version_info[:2])"


@dataclass(frozen=True)
class Interpreter:
    """An interpreter that works and can make virtual environments."""

    version: str
    path: Path


def present() -> list[Interpreter]:
    """One interpreter of each supported version that this machine has, oldest first."""
    found = (_first_working(version) for version in SUPPORTED)
    return [interpreter for interpreter in found if interpreter]


def oldest_and_newest(interpreters: Sequence[Interpreter]) -> list[Interpreter]:
    """The two to test on, or the one there is; raises Unusable without any."""
    if not interpreters:
        raise Unusable(f"no Python of {', '.join(SUPPORTED)} with ensurepip found")
    ends = [interpreters[0], interpreters[-1]]
    return ends if ends[0] != ends[1] else ends[:1]


def first_of(versions: Sequence[str], purpose: str) -> Interpreter:
    """The first of these that this machine has; raises Unusable, which names the purpose."""
    for version in versions:
        interpreter = _first_working(version)
        if interpreter:
            return interpreter
    raise Unusable(
        f"{purpose} needs Python {' or '.join(sorted(versions))}, with ensurepip:"
        f" apt-get install python{versions[0]}-venv"
    )


def _first_working(version: str) -> Interpreter | None:
    for path in _candidates(version):
        try:
            # A pyenv shim is found by name even where its version is not selected.
            said = subprocess.run(
                [path, "-I", "-c", _WORKS], capture_output=True, text=True, timeout=20, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if said.returncode == 0 and said.stdout.strip() == version:
            return Interpreter(version, path)
    return None


def _candidates(version: str) -> Iterator[Path]:
    name = f"python{version}"
    for directory in ("/usr/bin", "/usr/local/bin"):
        if (Path(directory) / name).exists():
            yield Path(directory) / name
    for home in _homes():
        yield from sorted(home.glob(f".pyenv/versions/{version}.*/bin/{name}"), reverse=True)
        yield from sorted(home.glob(f".local/share/uv/python/cpython-{version}.*/bin/{name}"))
    on_path = shutil.which(name)
    if on_path:
        yield Path(on_path)


def _homes() -> Iterator[Path]:
    """The homes of root and of whoever called sudo."""
    names = dict.fromkeys(["root", os.environ.get("SUDO_USER") or "root"])
    for name in names:
        try:
            yield Path(pwd.getpwnam(name).pw_dir)
        except KeyError:
            continue
