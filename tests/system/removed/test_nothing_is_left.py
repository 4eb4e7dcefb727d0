"""What `bin/lab down` leaves on the machine: nothing but caches."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any


def test_no_namespace(lab: Any) -> None:
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    names = [line.split()[0] for line in listed.stdout.splitlines()]
    assert [name for name in names if name.startswith(f"{lab.name}-")] == []


def test_no_mount(lab: Any) -> None:
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    assert [line for line in mounts if f"/{lab.name}-" in line] == []


def test_no_process(lab: Any) -> None:
    """No process has this lab's name in its arguments: hosts, SSH connections, relays."""
    left = []
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit() or int(directory.name) == os.getpid():
            continue
        try:
            arguments = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, UnicodeDecodeError):
            continue
        if f"{lab.name}-" in arguments or f"/labs/{lab.name}/" in arguments:
            left.append(arguments)
    assert left == []


def test_the_lab_says_that_it_is_down(lab: Any) -> None:
    ended = lab.run("status", check=False)
    assert ended.returncode == 1
    assert "down" in ended.stdout


def test_down_again_is_no_error(lab: Any) -> None:
    lab.run("down")
