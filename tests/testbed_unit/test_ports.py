"""Ports that stay whose they are."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from testbed import ports
from testbed.failed import Failed

CHECKOUT = Path(__file__).parents[2]


def only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lowest: int, count: int) -> None:
    """Only these ports are given."""
    (tmp_path / "range").write_text(f"{lowest + count}\t60999\n")
    monkeypatch.setattr(ports, "EPHEMERAL", tmp_path / "range")
    monkeypatch.setattr(ports, "LOWEST", lowest)


def test_no_port_is_one_that_the_kernel_gives_to_a_connection() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert ports.LOWEST <= ports.free_port() < first


def test_none_is_given_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    only(monkeypatch, tmp_path, 9000, 3)
    assert {ports.free_port() for _ in range(3)} == {9000, 9001, 9002}
    with pytest.raises(Failed, match="no TCP port from 9000 to 9002 is free"):
        ports.free_port()


def test_none_is_given_to_two_processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    taken = ports.free_port()
    only(monkeypatch, tmp_path, taken, 1)
    ask = (
        "from pathlib import Path; from testbed import ports;"
        f" ports.LOWEST = {taken}; ports.EPHEMERAL = Path({str(tmp_path / 'range')!r});"
        " ports.free_port()"
    )
    asked = subprocess.run(
        [sys.executable, "-c", ask], check=False, cwd=CHECKOUT, capture_output=True, text=True
    )
    assert f"no TCP port from {taken} to {taken} is free" in asked.stderr


@pytest.mark.parametrize(
    ("address", "port"),
    [("127.0.0.1", 9010), ("127.0.0.2", 9020), ("::1", 9030), ("::", 9040)],
)
def test_one_in_use_is_not_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str, port: int
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as server:
        server.bind((address, port))
        only(monkeypatch, tmp_path, port, 2)
        assert ports.free_port() == port + 1
