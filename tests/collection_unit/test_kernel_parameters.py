"""Kernel parameters are put back to what they were, as the roles' script does it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "roles/common/files/kernel_parameters.py"


def run(tmp_path: Path, *words: str) -> list[str]:
    state = tmp_path / "state" / "kernel.json"
    command = [sys.executable, str(SCRIPT), str(tmp_path / "sys"), str(state), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def parameter(tmp_path: Path, key: str, value: str | None = None) -> str:
    file = tmp_path / "sys" / key
    if value is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(value, encoding="ascii")
    return file.read_text(encoding="ascii").strip()


def test_what_was_set_is_put_back(tmp_path: Path) -> None:
    parameter(tmp_path, "net/ipv4/ip_forward", "0\n")
    parameter(tmp_path, "net/ipv4/tcp_rmem", "4096\t131072\t6291456\n")
    assert run(tmp_path, "set", "net/ipv4/ip_forward=1", "net/ipv4/tcp_rmem=4096 1 2") == [
        "net/ipv4/ip_forward=1",
        "net/ipv4/tcp_rmem=4096 1 2",
    ]
    parameter(tmp_path, "net/ipv4/tcp_rmem", "4096\t1\t2\n")  # as the kernel writes it
    run(tmp_path, "set", "net/ipv4/ip_forward=2")  # another value of a later run
    assert run(tmp_path, "restore") == [
        "net/ipv4/ip_forward=0",
        "net/ipv4/tcp_rmem=4096 131072 6291456",
    ]
    assert parameter(tmp_path, "net/ipv4/ip_forward") == "0"
    assert parameter(tmp_path, "net/ipv4/tcp_rmem") == "4096 131072 6291456"
    assert run(tmp_path, "restore") == []


def test_what_somebody_else_has_set_meanwhile_stays(tmp_path: Path) -> None:
    parameter(tmp_path, "net/core/rmem_max", "212992\n")
    run(tmp_path, "set", "net/core/rmem_max=26214400")
    parameter(tmp_path, "net/core/rmem_max", "33554432\n")
    assert run(tmp_path, "restore") == []
    assert parameter(tmp_path, "net/core/rmem_max") == "33554432"


def test_some_are_put_back_and_the_others_later(tmp_path: Path) -> None:
    parameter(tmp_path, "net/core/rmem_max", "212992\n")
    parameter(tmp_path, "net/ipv4/ip_forward", "0\n")
    run(tmp_path, "set", "net/core/rmem_max=26214400", "net/ipv4/ip_forward=1")
    assert run(tmp_path, "restore", "net/ipv4/ip_forward", "no/such") == ["net/ipv4/ip_forward=0"]
    assert parameter(tmp_path, "net/core/rmem_max") == "26214400"
    parameter(tmp_path, "net/ipv4/ip_forward", "1\n")  # by somebody else
    assert run(tmp_path, "restore") == ["net/core/rmem_max=212992"]
    assert parameter(tmp_path, "net/ipv4/ip_forward") == "1"


def test_it_is_kept_before_it_is_set(tmp_path: Path) -> None:
    """A host that fails in between can be put back all the same."""
    parameter(tmp_path, "a/b", "1\n")
    (tmp_path / "sys" / "a" / "refused").mkdir()
    command = [sys.executable, str(SCRIPT), str(tmp_path / "sys"), str(tmp_path / "k.json")]
    failed = subprocess.run([*command, "set", "a/refused=1", "a/b=2"], check=False)
    assert failed.returncode != 0
    assert json.loads((tmp_path / "k.json").read_text(encoding="utf-8")) == {"a/b": ["1", "2"]}


def test_a_host_that_was_never_set_up_has_nothing_to_put_back(tmp_path: Path) -> None:
    assert run(tmp_path, "restore") == []
