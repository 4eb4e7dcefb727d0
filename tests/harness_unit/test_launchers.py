"""What a person types runs the code of the checkout that it lies in."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

BIN = Path(__file__).resolve().parents[2] / "bin"
# Packages that are looked for, and programs: bin/bench and bin/test install those that are missing.
PROGRAMS = ("ping", "iperf3", "fastd", "openvpn", "wg", "wireguard-go", "clang", "redis-server")
CALLS = {
    "lab": ("--help",),
    "bench": ("sessions", "--help"),
    "test": ("unit",),
}


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Another place with packages of the same names."""
    for package in ("bench", "lab", "harness", "testbed", "runpy"):
        (tmp_path / package).mkdir()
        for file in ("__init__.py", "__main__.py"):
            (tmp_path / package / file).write_text('print("DECOY")\nraise SystemExit(9)\n')
    (tmp_path / "tests").symlink_to(tmp_path)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("apt-get", *PROGRAMS):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    return tmp_path


def call(script: Path, words: tuple[str, ...], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script, *words],
        cwd=cwd,
        env={
            **os.environ,
            "PATH": f"{cwd / 'programs'}:{os.environ['PATH']}",
            "PYTHONPATH": str(cwd),
            # Not a directory: bin/test says so and does nothing.
            "NRS_TEST_CACHE": "/dev/null",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_it_runs_its_own_code_wherever_it_is_called(
    elsewhere: Path, name: str, linked: bool
) -> None:
    script = BIN / name
    if linked:
        script = elsewhere / "link"
        script.symlink_to(BIN / name)
    ended = call(script, CALLS[name], elsewhere)
    assert "DECOY" not in ended.stdout + ended.stderr
    if name == "test":
        assert str(BIN.parent / "tests" / "harness" / "__main__.py") in ended.stderr
    else:
        assert ended.returncode == 0
        assert f"usage: bin/{name}" in ended.stdout
