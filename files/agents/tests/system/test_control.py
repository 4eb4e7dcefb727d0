from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nrs.system.control import ControlError, ControlThread, listen, request, socket_path

LONGEST_ADDRESS = "2001:db8:1234:5678:9abc:def0:1234:5678"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "example.sock"


@contextlib.contextmanager
def control(path: Path, **handlers: Any) -> Iterator[None]:
    thread = ControlThread(path, handlers)
    thread.start()
    try:
        yield
    finally:
        thread.stop()


def raw(path: Path, data: bytes) -> Any:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        sock.connect(str(path))
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return json.loads(sock.makefile("rb").read())


def test_a_command_is_answered(path: Path) -> None:
    with control(path, status=lambda message: {"id": "a", "asked": message}):
        assert request(path, "status", verbose=True) == {
            "id": "a",
            "asked": {"command": "status", "verbose": True},
        }


def test_a_large_answer_arrives_whole(path: Path) -> None:
    with control(path, status=lambda _: "x" * 1_000_000):
        assert len(request(path, "status")) == 1_000_000


def test_the_status_of_a_large_site_fits(path: Path) -> None:
    tunnel = {
        "endpoint_id": "e" * 64,
        "up": True,
        "active": False,
        "rtt_ms": None,
        "since": 1790000000.1234567,
        "address": f"[{LONGEST_ADDRESS}]:65535",
        "tun_ipv4": "100.100.100.100",
        "tun_ipv6": LONGEST_ADDRESS,
        "key_mode": "device",
        "key_epoch": 2**32 - 1,
    }
    with control(path, status=lambda _: {"tunnels": [tunnel] * 10_000}):
        assert len(request(path, "status")["tunnels"]) == 10_000


@contextlib.contextmanager
def answering(path: Path, *chunks: bytes) -> Iterator[None]:
    """Something that is no agent of ours sends these to whoever asks, and hangs up."""
    with listen(path) as listener:

        def send() -> None:
            with listener.accept()[0] as connection, contextlib.suppress(OSError):
                for chunk in chunks:
                    connection.sendall(chunk)

        sender = threading.Thread(target=send)
        sender.start()
        try:
            yield
        finally:
            sender.join(5)


def test_an_answer_that_does_not_end_is_not_read_to_its_end(path: Path) -> None:
    with (
        answering(path, *([bytes(1 << 20)] * 40)),
        pytest.raises(ControlError, match="answers status with more than 16 MiB"),
    ):
        request(path, "status")


@pytest.mark.parametrize(
    "reply", [b"\n", b"5\n", b"{}\n", b"[]\n", b'"error"\n', b"\xff\n", b"[" * 100_000 + b"\n"]
)
def test_what_is_no_answer(path: Path, reply: bytes) -> None:
    with answering(path, reply), pytest.raises(ControlError, match="no answer from the agent"):
        request(path, "status")


def test_only_the_owner_may_ask(path: Path) -> None:
    with control(path):
        assert path.stat().st_mode & 0o777 == 0o600


def test_stop_removes_the_socket(path: Path) -> None:
    with control(path):
        assert path.exists()
    assert not path.exists()
    with pytest.raises(ControlError, match="no answer from the agent"):
        request(path, "status")


def test_it_can_be_stopped_without_a_start(path: Path) -> None:
    ControlThread(path, {}).stop()
    assert not path.exists()


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"x\n", b"[]\n", b"5\n", b'"command"\n', b"{}\n", b"\xff\n", b"[" * 60_000],
)
def test_what_is_no_request(path: Path, data: bytes) -> None:
    with control(path, status=lambda _: "well"):
        assert raw(path, data) == {"error": "malformed request"}
        assert request(path, "status") == "well"


@pytest.mark.parametrize("command", ["reboot", "", None, 5, [], {}])
def test_an_unknown_command(path: Path, command: object) -> None:
    with control(path, status=lambda _: "well"):
        answer = raw(path, json.dumps({"command": command}).encode() + b"\n")
        assert answer == {"error": f"unknown command {command!r}; known: status"}
        assert request(path, "status") == "well"


def _refuse(_message: dict[str, Any]) -> None:
    raise ValueError("router_9 is not one of this endpoint's")


def _fail(_message: dict[str, Any]) -> None:
    raise KeyError("defect")


def test_a_command_may_refuse(path: Path) -> None:
    with control(path, move=_refuse), pytest.raises(ControlError, match="router_9 is not"):
        request(path, "move")


@pytest.mark.parametrize("defect", [_fail, lambda _: ipaddress.ip_address("::1")])
def test_a_defect_does_not_end_the_service(
    path: Path, defect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with control(path, broken=defect, status=lambda _: "well"):
        with pytest.raises(ControlError, match="internal error"):
            request(path, "broken")
        assert request(path, "status") == "well"
    assert "a control command failed" in caplog.text


def test_a_client_that_leaves_does_not_end_the_service(path: Path) -> None:
    with control(path, status=lambda _: "x" * 1_000_000):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            sock.sendall(b'{"command": "status"}\n')
        assert request(path, "status")


def test_what_a_killed_agent_left_behind_is_replaced(path: Path) -> None:
    listen(path).close()
    assert path.exists()
    with control(path, status=lambda _: "new"):
        assert request(path, "status") == "new"


def test_a_running_agent_is_not_displaced(path: Path) -> None:
    with control(path, status=lambda _: "first"):
        with pytest.raises(OSError, match="another agent answers there"):
            listen(path)
        assert request(path, "status") == "first"


def test_nobody_answers(path: Path) -> None:
    with answering(path), pytest.raises(ControlError, match="no answer"):
        request(path, "status")


def test_where_the_socket_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NRS_RUNTIME_DIRECTORY", raising=False)
    assert str(socket_path("load_balancer")) == (
        "/run/network-routing-system/load_balancer/load_balancer.sock"
    )
    monkeypatch.setenv("NRS_RUNTIME_DIRECTORY", "/somewhere")
    assert str(socket_path("load_balancer")) == "/somewhere/load_balancer.sock"
