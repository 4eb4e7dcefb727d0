"""Releases that hosts do not need any more, with real files and processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from local_host import LocalHost

STAMP = "1.0.{} 0123abcd 3.11-x86_64"
SLEEP = "import time; print(flush=True); time.sleep(600)"
MAPPING = f"""
import mmap
with open({{!r}}, "r+b") as file:
    mapped = mmap.mmap(file.fileno(), 0)
{SLEEP}
"""


def named(number: int) -> str:
    return STAMP.format(number).replace(" ", "-")


class Host(LocalHost):
    """One with releases of which the last is the present one."""

    def __init__(self, tools: Any, collections: Path, cache: Path, place: Path) -> None:
        super().__init__(tools, collections, cache, place)
        self.tasks = ("old_releases",)
        self.install = place / "opt"
        self.releases = self.install / "releases"
        self.variables |= {
            "_common_install_directory": str(self.install),
            "nrs_python": sys.executable,
        }
        for number in range(5):
            self.add(number)
        self.present(4)

    def add(self, number: int, name: str = "") -> Path:
        place = self.releases / (name or named(number))
        (place / "bin").mkdir(parents=True)
        (place / "bin" / "python").symlink_to(sys.executable)
        (place / "release").write_text(STAMP.format(number) + "\n")
        os.utime(place, (number, number))
        return place

    def present(self, number: int) -> None:
        for link, to in (("current", number), ("previous", number - 1)):
            (self.install / link).unlink(missing_ok=True)
            (self.install / link).symlink_to(f"releases/{named(to)}")

    def there(self) -> set[str]:
        return {path.name for path in self.releases.iterdir()}

    def prune(self, *words: str, changed: int, wanted: int = 4) -> str:
        """As after an installation, or before it where the wanted one is not there."""
        installed = STAMP.format(wanted) if named(wanted) in self.there() else "another"
        probe = {"release": installed, "releases": sorted(self.there()), "files": []}
        self.variables["_common_host"] = probe
        self.variables["_common_release_stamp"] = STAMP.format(wanted)
        return self.deploy(*words, "-v", changed=changed)


@pytest.fixture
def host(tools: Any, installed: Path, cache: Path, tmp_path: Path) -> Host:
    return Host(tools, installed, cache, tmp_path)


@pytest.fixture
def runs(host: Host) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that end with the test."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def start(*words: str | Path, cwd: Path = Path("/")) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([*words], stdout=subprocess.PIPE, cwd=cwd)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_the_present_one_and_the_one_before_it_are_kept(host: Host) -> None:
    said = host.prune("--check", changed=1)
    assert len(host.there()) == 5
    for number in range(3):
        assert named(number) in said
    host.prune(changed=1)
    assert host.there() == {named(3), named(4)}
    host.prune(changed=0)
    host.prune("--check", changed=0)
    assert host.there() == {named(3), named(4)}


def test_the_one_before_is_what_was_present_however_old(host: Host) -> None:
    (host.install / "previous").unlink()
    (host.install / "previous").symlink_to(f"releases/{named(0)}")
    host.prune(changed=1)
    assert host.there() == {named(0), named(4)}


def test_where_none_is_known_it_is_the_newest(host: Host) -> None:
    (host.install / "previous").unlink()
    host.prune(changed=1)
    assert host.there() == {named(3), named(4)}


def test_what_runs_keeps_its_release(
    host: Host, runs: list[subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    """By its command, by what it has mapped, by where it is."""
    runs.append(start(host.releases / named(0) / "bin" / "python", "-c", SLEEP))
    mapped = host.releases / named(1) / "codec.so"
    mapped.write_bytes(b"x" * 4096)
    script = tmp_path / "mapping.py"
    script.write_text(MAPPING.format(str(mapped)))
    runs.append(start(sys.executable, script))
    runs.append(start(sys.executable, "-c", SLEEP, cwd=host.releases / named(2)))
    host.prune("--check", changed=0)
    host.prune(changed=0)
    assert host.there() == {named(number) for number in range(5)}
    for process, left in zip(runs, ({1, 2}, {2}, set[int]()), strict=True):
        process.kill()
        process.wait()
        host.prune(changed=1)
        assert host.there() == {named(number) for number in {*left, 3, 4}}


def test_a_check_run_predicts_it_before_the_installation(host: Host) -> None:
    said = host.prune("--check", changed=1, wanted=5)
    assert named(3) in said
    assert named(4) not in said.partition("stdout_lines")[2]
    host.add(5)
    host.present(5)
    host.prune(changed=1, wanted=5)
    assert host.there() == {named(4), named(5)}


def test_a_release_from_before_each_had_its_place_is_known(host: Host) -> None:
    """Its directory has the version alone."""
    host.add(6, "1.0.6")
    (host.install / "current").unlink()
    (host.install / "current").symlink_to("releases/1.0.6")
    (host.install / "previous").unlink()
    host.prune(changed=1, wanted=6)
    assert host.there() == {named(4), "1.0.6"}


def test_what_an_interrupted_installation_has_left_goes(host: Host) -> None:
    (host.releases / f".{named(5)}.new").mkdir()
    (host.releases / f".{named(2)}.removed").mkdir()
    host.prune(changed=1)
    assert host.there() == {named(3), named(4)}


def test_with_two_nothing_is_asked(host: Host) -> None:
    host.prune(changed=1)
    host.variables["nrs_python"] = "/nonexistent"
    assert "skipped=1 " in host.prune(changed=0)


def test_the_probe_says_which_there_are(host: Host) -> None:
    program = Path(__file__).parents[2] / "roles/common/files/probe_host.py"
    command = host.install / "current" / "bin" / "python"
    said = host.tools.run(sys.executable, program, command, host.etc, host.releases)
    assert json.loads(said)["releases"] == sorted(host.there())


def test_the_probe_says_which_protocol_a_change_would_begin_from(host: Host) -> None:
    program = Path(__file__).parents[2] / "roles/common/files/probe_host.py"
    command = host.install / "current" / "bin" / "python"

    def protocol() -> int:
        said = host.tools.run(sys.executable, program, command, host.etc, host.releases)
        return int(json.loads(said)["protocol"])

    # `python` leads out of the release, as the agents' command does not.
    command.unlink()
    command.touch()
    assert protocol() == 1
    (host.releases / named(4) / "protocol").write_text("3\n")
    assert protocol() == 3
    (host.install / "unfinished").mkdir()
    (host.install / "unfinished" / "from").write_text(named(3) + "\n")
    assert protocol() == 1
    (host.releases / named(3) / "protocol").write_text("2\n")
    assert protocol() == 2


def test_what_an_unfinished_change_would_go_back_to_is_kept(host: Host) -> None:
    (host.install / "unfinished").mkdir()
    (host.install / "unfinished" / "from").write_text(named(2) + "\n")
    host.add(5)
    host.prune(changed=1, wanted=5)
    assert host.there() == {named(2), named(3), named(4), named(5)}
