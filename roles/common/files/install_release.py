# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Install a release of the agents on this host from an archive of wheels, without a network.

The release is made beside its place, tried, and moved there when it is whole. It has a place of
its own, named after its stamp, so that what runs keeps the files that it has begun with. The first
one is what agents are started from at once, others when `release_change.py` says so. Needs neither
pip nor ensurepip on the host: pip runs from its own wheel.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

_DISTRIBUTION = "network-routing-agents"
# Importing all of it proves that the release can start, and leaves byte code for what the
# agents use, which they may not write themselves. The agents would do without a C codec that does
# not load: here it has to, as one that was built elsewhere may not. Pictures need what no host has.
_IMPORT_ALL = """
import importlib, pkgutil, sys, nrs
from nrs.tunnel import codec
for module in pkgutil.walk_packages(nrs.__path__, "nrs."):
    if not f"{module.name}.".startswith(("nrs.tunnel.codec.c.", "nrs.simulation.picture.")):
        importlib.import_module(module.name)
try:
    codec.load(sys.argv[1])
except codec.CodecError as error:
    sys.exit(f"{error}; it was built on another kind of system: build it on one like this host,"
             " or set nrs_codec: python")
"""


def run(*command: str | Path) -> None:
    """Run `command`. Raises SystemExit with what it said."""
    environment = {**os.environ, "PYTHONNOUSERSITE": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        shown = " ".join(str(part).partition("\n")[0] for part in command[:4])
        raise SystemExit(f"{shown} failed: {(done.stderr or done.stdout).strip()}")


def unpack(archive: Path, directory: Path) -> None:
    """Put the wheels of `archive` into `directory`."""
    directory.mkdir()
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            stream = tar.extractfile(member)
            if stream is not None:
                with stream, (directory / Path(member.name).name).open("wb") as wheel:
                    shutil.copyfileobj(stream, wheel)


def make(python: str, archive: Path, version: str, codec: str, directory: Path) -> None:
    """Make a virtual environment with the release in `directory`."""
    run(python, "-m", "venv", "--without-pip", directory)
    wheels = directory / "wheels"
    unpack(archive, wheels)
    pip = next(wheels.glob("pip-*.whl")) / "pip"
    own_python = directory / "bin" / "python"
    run(
        own_python,
        pip,
        "install",
        "--isolated",
        "--quiet",
        "--no-index",
        "--no-cache-dir",
        "--no-compile",
        "--root-user-action=ignore",
        "--disable-pip-version-check",
        f"--find-links={wheels}",
        f"{_DISTRIBUTION}=={version}",
    )
    shutil.rmtree(wheels)
    run(own_python, "-c", _IMPORT_ALL, codec)


def relocate(directory: Path, place: Path) -> None:
    """Make the scripts in `directory` name `place`, where they are going to stand."""
    for script in [*(directory / "bin").iterdir(), directory / "pyvenv.cfg"]:
        if script.is_symlink() or not script.is_file():
            continue
        content = script.read_bytes()
        moved = content.replace(os.fsencode(directory), os.fsencode(place))
        if moved != content:
            script.write_bytes(moved)


def put(directory: Path, place: Path) -> None:
    """Move `directory` to `place`, in whose stead it comes if there is one."""
    replaced = place.with_name(f".{place.name}.old")
    shutil.rmtree(replaced, ignore_errors=True)
    if place.exists():
        place.rename(replaced)
    directory.rename(place)
    shutil.rmtree(replaced, ignore_errors=True)


def point(link: Path, target: str) -> None:
    """Make `link` point to `target` in one step."""
    temporary = link.with_name(f".{link.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)


def main() -> int:
    """Install what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archive", type=Path, required=True, help="removed when it is installed")
    parser.add_argument("--directory", type=Path, required=True, help="holds releases/ and current")
    parser.add_argument("--link", type=Path, required=True, help="the command, on the path")
    parser.add_argument("--python", required=True, help="the interpreter to run on")
    parser.add_argument("--version", required=True)
    parser.add_argument("--codec", required=True, help="c or python: what the archive has")
    parser.add_argument("--stamp", required=True, help="kept beside the release to recognise it by")
    parser.add_argument("--protocol", type=int, required=True, help="the tunnels', kept there too")
    options = parser.parse_args()
    os.umask(0o022)
    place = options.directory / "releases" / options.stamp.replace(" ", "-")
    place.parent.mkdir(parents=True, exist_ok=True)
    new = place.with_name(f".{place.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    make(options.python, options.archive, options.version, options.codec, new)
    relocate(new, place)
    (new / "release").write_text(options.stamp + "\n", encoding="utf-8")
    (new / "protocol").write_text(f"{options.protocol}\n", encoding="utf-8")
    put(new, place)
    current = options.directory / "current"
    if not current.exists():
        point(current, f"releases/{place.name}")
    point(options.link, str(current / "bin" / options.link.name))
    options.archive.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
