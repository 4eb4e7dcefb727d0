"""What a control node that lacks, or has, a compiler does to the codec of its hosts."""

from __future__ import annotations

import json
import platform
import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from local_host import LocalHost

ROLE = Path("ansible_collections/nrs/network_routing/roles/common")
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}-{platform.machine()}"
OTHER_PYTHON = f"3.{sys.version_info[1] + 1}-{platform.machine()}"
ELSEWHERE = "3.11-" + ("x86_64" if platform.machine() == "aarch64" else "aarch64")
OLDER = "0.9.0 0123456789abcdef"
COMPILES = "#!/bin/sh\ncat >/dev/null\n"


class Host(LocalHost):
    """One whose control node has a compiler or not."""

    def __init__(self, tools: Any, collections: Path, place: Path) -> None:
        super().__init__(tools, collections, place / "cache", place)
        self.tasks = ("build", "release")
        self._role = collections / ROLE
        self._programs = place / "bin"
        self._programs.mkdir()
        for name in ("sh", "cat"):
            (self._programs / name).symlink_to(str(shutil.which(name)))
        # What is not there cannot be written by mistake either.
        self.variables["_common_install_directory"] = str(place / "opt")
        self.lacks_compiler()

    def lacks_compiler(self) -> None:
        self.environment = {"PATH": str(self._programs)}

    def has_compiler(self) -> None:
        (self._programs / "cc").write_text(COMPILES)
        (self._programs / "cc").chmod(0o755)

    def holds(self, release: str, target: str = HERE) -> None:
        """What is installed, and for which target it would be now."""
        python, machine = target.split("-", 1)
        probe = {"python": python, "machine": machine, "release": release, "releases": []}
        self.variables["__common_probe"] = {"stdout": json.dumps({**probe, "files": []})}

    def build(self, *kinds: str, dry_run: bool = True) -> dict[str, Any]:
        """What build_wheelhouse.py says, as the play runs it."""
        program = self._role / "files" / "build_wheelhouse.py"
        (agents,) = self._role.rglob("files/agents")
        words = [sys.executable, program, "--source", agents, "--cache", self.place / "cache"]
        given = [*words, *(["--dry-run"] if dry_run else []), *kinds]
        return dict(json.loads(self.tools.run(*given, env=self.environment)))

    def present(self, codec: str, target: str = HERE) -> str:
        """The stamp of the collection's own release."""
        (release,) = self.build(f"{target} python")["releases"].values()
        stamp = str(release["stamp"])
        return stamp if codec == "python" else stamp.replace("-python ", " ")


@pytest.fixture
def host(tools: Any, installed: Path, tmp_path: Path) -> Host:
    return Host(tools, installed, tmp_path)


def compiler(host: Host) -> None:
    host.has_compiler()


def none(_: Host) -> None:
    pass


@pytest.mark.parametrize(
    ("control_node", "codec", "target"),
    [(none, "c", HERE), (none, "c", ELSEWHERE), (compiler, "python", HERE)],
)
def test_the_same_release_is_left_alone(
    host: Host, control_node: Callable[[Host], None], codec: str, target: str
) -> None:
    control_node(host)
    host.holds(host.present(codec, target), target)
    said = host.deploy("--check", changed=0)
    assert ("The codec in C for" if codec == "c" else "The codec in Python") in said
    host.deploy(changed=0)
    assert not (host.place / "cache").exists(), "nothing is needed"


@pytest.mark.parametrize(
    ("target", "lack"),
    [(HERE, "no C compiler here; on Debian"), (ELSEWHERE, "the hosts are")],
)
def test_another_release_does_not_take_the_codec_in_c_away(
    host: Host, target: str, lack: str
) -> None:
    host.holds(f"{OLDER} {target}", target)
    for words in (("--check",), ()):
        said = host.refused(*words)
        assert f"here stays as it is: it has the codec in C ({OLDER} {target}), and {lack}" in said
        assert "nrs_codec: python" in said
    assert not (host.place / "cache").exists()
    assert "would be installed" in host.deploy("--check", "-e", "nrs_codec=python", changed=2)


def test_neither_does_another_python_of_the_host(host: Host) -> None:
    host.holds(host.present("c"), OTHER_PYTHON)
    assert "it has the codec in C" in host.refused("--check")
    # The wheel of the agents is the same, wherever this control node has it from.
    build = host.present("c").split()[1]
    archive = host.place / "cache" / "builds" / build / f"{HERE}.tar"
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w"):
        pass
    said = host.deploy("--check", changed=2)
    assert f"Release {host.present('c', OTHER_PYTHON)} would be installed" in said


def test_a_codec_that_is_wished_and_cannot_be_built_stops_the_run(host: Host) -> None:
    host.holds(host.present("python"))
    said = host.refused("--check", "-e", "nrs_codec=c")
    assert "nrs_codec is c, and no C compiler here" in said
    host.has_compiler()
    said = host.deploy("--check", "-e", "nrs_codec=c", changed=2)
    assert f"Release {host.present('c')} would be installed" in said


def test_the_next_release_has_the_codec_that_can_be_built(host: Host) -> None:
    host.holds(f"{OLDER}-python {HERE}")
    for codec in ("python", "c"):
        said = host.deploy("--check", changed=2)
        assert f"Release {host.present(codec)} would be installed" in said
        host.has_compiler()


def test_a_codec_that_does_not_build_is_none(host: Host) -> None:
    """A control node whose Python is no good for it, say."""
    host.has_compiler()
    build = host.present("c").split()[1]
    failed = host.place / "cache" / "builds" / build / f"{HERE}.failed"
    failed.parent.mkdir(parents=True)
    failed.write_text("it could not be built: no cffi for this Python")
    host.holds(f"{OLDER} {HERE}")
    said = host.refused()
    assert "and it could not be built: no cffi for this Python (to try again, remove" in said
