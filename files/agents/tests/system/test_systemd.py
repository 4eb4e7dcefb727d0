from __future__ import annotations

import socket
from pathlib import Path

import pytest

from nrs.system import systemd


def test_ready(manager: socket.socket) -> None:
    systemd.ready("serving on :: port 8080")
    assert manager.recv(1000) == b"READY=1\nSTATUS=serving on :: port 8080"


def test_reloading_says_when(manager: socket.socket) -> None:
    systemd.reloading()
    first, second = manager.recv(1000).split(b"\n")
    assert first == b"RELOADING=1"
    key, _, microseconds = second.partition(b"=")
    assert key == b"MONOTONIC_USEC"
    assert int(microseconds) > 0


def test_stopping(manager: socket.socket) -> None:
    systemd.stopping()
    assert manager.recv(1000) == b"STOPPING=1"


def test_an_abstract_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = f"nrs-test-{tmp_path}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name)
        sock.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        systemd.stopping()
        assert sock.recv(1000) == b"STOPPING=1"


@pytest.mark.parametrize("address", [None, ""])
def test_outside_systemd_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, address: str | None
) -> None:
    if address is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    systemd.ready("nobody hears it")


def test_a_manager_that_is_gone_does_not_end_the_agent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    systemd.ready("serving")
    assert "READY=1" in caplog.text
