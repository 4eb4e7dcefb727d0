"""A change of the release that can be undone, also by another run; with real files."""

from __future__ import annotations

import itertools
import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "roles/common/files/release_change.py"
UNIT = "routing_server"
FILE = f"{UNIT}.yaml"
# Takes a file that has its own name in it.
COMMAND = """#!/bin/sh
grep -qw "{name}" "$4" || {{ echo "{name} does not know $4" >&2; exit 2; }}
"""


class Host:
    """One with three releases, of which `b` is the present one."""

    def __init__(self, place: Path) -> None:
        self.opt, self.etc, self.units = (place / name for name in ("opt", "etc", "units"))
        for directory in (self.etc, self.units):
            directory.mkdir()
        for name in "abc":
            release = self.opt / "releases" / name
            (release / "bin").mkdir(parents=True)
            (release / "release").write_text(f"stamp of {name}\n")
            (release / "bin" / "nrs").write_text(COMMAND.format(name=name))
            (release / "bin" / "nrs").chmod(0o755)
        (self.opt / "current").symlink_to("releases/b")
        (self.opt / "previous").symlink_to("releases/a")
        self.write("b takes it", "unit of b")
        (self.etc / "psk").write_text("key of b")
        (self.etc / "psk").chmod(0o600)

    def write(self, file: str, unit: str) -> None:
        """What a role would."""
        (self.etc / FILE).write_text(file)
        (self.etc / FILE).chmod(0o640)
        (self.units / f"{UNIT}.service").write_text(unit)

    def has(self) -> tuple[str, str]:
        return (self.etc / FILE).read_text(), (self.units / f"{UNIT}.service").read_text()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(SCRIPT), *map(str, (self.opt, self.etc, self.units)), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def do(self, *words: str) -> str:
        ended = self.run(*words)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def linked(self) -> tuple[str, str]:
        links = (self.opt / "current", self.opt / "previous")
        current, previous = (str(link.readlink()) if link.is_symlink() else "" for link in links)
        return current, previous

    def upgrade(self) -> None:
        self.do("begin")
        self.do("forward", "c")
        self.write("b and c take it", "unit of c")
        (self.etc / "psk").write_text("key of c")
        (self.etc / "previous_psk").write_text("key of b")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_undone_all_is_as_before(host: Host) -> None:
    host.upgrade()
    assert host.linked() == ("releases/c", "releases/b")
    assert json.loads(host.do("undo")) == {"release": "stamp of b", "units": [UNIT]}
    assert host.linked() == ("releases/b", "releases/a")
    assert host.has() == ("b takes it", "unit of b")
    assert (host.etc / "psk").read_text() == "key of b"
    assert not (host.etc / "previous_psk").exists()
    modes = [(host.etc / name).stat().st_mode & 0o777 for name in ("psk", FILE)]
    assert modes == [0o600, 0o640]


def test_one_that_was_cut_short_is_undone_to_where_it_began(host: Host) -> None:
    host.upgrade()
    host.do("begin")
    host.do("forward", "a")
    assert host.linked() == ("releases/a", "releases/b")
    assert json.loads(host.do("undo"))["release"] == "stamp of b"
    assert host.has() == ("b takes it", "unit of b")
    host.do("end")
    host.do("end")
    assert not (host.opt / "unfinished").exists()
    assert not (host.opt / "releases" / "b" / "kept").exists()


def test_forward_to_where_it_began_leaves_the_one_before(host: Host) -> None:
    host.upgrade()
    host.do("forward", "b")
    assert host.linked() == ("releases/b", "releases/a")


def test_where_a_host_was_to_go_back_to_is_known_after_it_was_cut_short(host: Host) -> None:
    probe = SCRIPT.with_name("probe_host.py")
    command = [sys.executable, str(probe), "/bin/false", str(host.etc), str(host.opt / "releases")]

    def unfinished() -> str:
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return str(json.loads(said)["unfinished"])

    assert unfinished() == ""
    host.do("begin", "a")
    assert unfinished() == "a"
    host.do("undo")
    host.do("end")
    host.do("begin")
    assert unfinished() == "b"


def test_what_is_kept_when_it_ends_has_no_key(host: Host) -> None:
    host.upgrade()
    host.do("end")
    kept = host.opt / "releases" / "b" / "kept"
    assert sorted(path.name for path in kept.iterdir()) == [f"{UNIT}.service", FILE]
    assert kept.stat().st_mode & 0o777 == 0o700
    found = [path for path in host.opt.rglob("*") if path.is_file()]
    assert [path for path in found if "key of" in path.read_text()] == []


def test_back_leaves_files_that_the_earlier_release_takes(host: Host) -> None:
    host.upgrade()
    host.do("end")
    host.do("begin")
    host.do("back", "b")
    assert host.linked() == ("releases/b", "")
    assert host.has() == ("b and c take it", "unit of b")
    host.do("end")
    assert host.run("back", "").returncode != 0


def test_back_puts_the_files_of_the_earlier_release_in_place_of_those_it_refuses(
    host: Host,
) -> None:
    host.upgrade()
    host.do("end")
    host.write("only c takes it", "unit of c")
    host.do("begin")
    host.do("back", "b")
    assert host.has() == ("b takes it", "unit of b")
    assert json.loads(host.do("undo"))["release"] == "stamp of c"
    assert host.has() == ("only c takes it", "unit of c")
    assert host.linked() == ("releases/c", "releases/b")


def test_keys_are_of_a_tunnel_protocol_and_go_back_with_it(host: Host) -> None:
    (host.opt / "releases" / "c" / "protocol").write_text("2\n")
    (host.etc / "state_password").write_text("of the load balancer")
    host.upgrade()
    host.do("end")
    kept = host.opt / "releases" / "b" / "kept"
    assert {path.name for path in kept.iterdir()} == {f"{UNIT}.service", FILE, "psk"}
    assert (kept / "psk").stat().st_mode & 0o777 == 0o600
    host.do("begin")
    host.do("back", "b")
    assert (host.etc / "psk").read_text() == "key of b"
    assert not (host.etc / "previous_psk").exists()
    assert (host.etc / "state_password").read_text() == "of the load balancer"
    host.do("undo")
    assert (host.etc / "psk").read_text() == "key of c"
    assert (host.etc / "previous_psk").read_text() == "key of b"


def test_by_the_same_tunnel_protocol_keys_stay(host: Host) -> None:
    for name in "bc":
        (host.opt / "releases" / name / "protocol").write_text("2\n")
    host.upgrade()
    host.do("end")
    assert not (host.opt / "releases" / "b" / "kept" / "psk").exists()
    host.do("begin")
    host.do("back", "b")
    assert (host.etc / "psk").read_text() == "key of c"


def test_without_the_keys_of_its_tunnel_protocol_it_does_not_go_back(host: Host) -> None:
    host.upgrade()
    host.do("end")
    (host.opt / "releases" / "c" / "protocol").write_text("2\n")
    host.do("begin")
    assert "b has tunnel protocol 1, and no keys of it are kept" in host.run("back", "b").stderr
    assert (host.etc / "psk").read_text() == "key of c"
    assert host.linked() == ("releases/c", "releases/b")


def test_back_is_refused_where_no_file_is_good(host: Host) -> None:
    host.do("begin")
    ended = host.run("back", "a")
    assert (
        "a refuses the present routing_server.yaml, and has none of its own: a does" in ended.stderr
    )
    assert host.linked() == ("releases/b", "releases/a")
    assert host.has() == ("b takes it", "unit of b")


@pytest.mark.parametrize("verb", ["forward", "back"])
def test_a_release_that_is_not_there_is_refused(host: Host, verb: str) -> None:
    host.do("begin")
    assert "there is no release d in " in host.run(verb, "d").stderr
    assert host.linked() == ("releases/b", "releases/a")


def test_every_key_that_a_role_writes_is_noted() -> None:
    written = set()
    for tasks in SCRIPT.parents[3].glob("roles/*/tasks/configure.yml"):
        _, _, named = tasks.read_text(encoding="utf-8").partition("    secrets:\n")
        lines = itertools.takewhile(lambda line: line.startswith("      "), named.splitlines())
        written |= {line.split(":")[0].strip() for line in lines}
    assert written
    assert written <= set(runpy.run_path(str(SCRIPT))["KEYS"])
