"""`nrs drain` and `nrs undrain` against a control socket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nrs.cli.units import UNITS
from nrs.system.control import ControlThread, socket_path

from .conftest import Nrs


class Router:
    """Answers as it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: dict[str, Any] | ValueError = {}

    def handle(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(request)
        if isinstance(self.answer, ValueError):
            raise self.answer
        return self.answer


@pytest.fixture
def router() -> Iterator[Router]:
    one = Router()
    thread = ControlThread(
        socket_path("routing_server"), {"drain": one.handle, "undrain": one.handle}
    )
    thread.start()
    yield one
    thread.stop()


@pytest.mark.parametrize(
    ("changed", "left", "used", "line"),
    [
        (True, 300, 2, "draining: connections that are left in 300 s are reset; 2 tunnels in use"),
        (False, 20, 1, "already draining: connections that are left in 20 s are reset; 1 tunnel"),
        (False, 0, 0, "already draining: nothing is forwarded; 0 tunnels in use"),
    ],
)
def test_what_a_drain_says(
    nrs: Nrs, router: Router, changed: bool, left: int, used: int, line: str
) -> None:
    router.answer = {"changed": changed, "seconds_left": left, "tunnels_in_use": used}
    done = nrs("drain")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(line)
    assert router.asked == [{"command": "drain", "deadline": None}]


def test_a_deadline_is_passed_on(nrs: Nrs, router: Router) -> None:
    router.answer = {"changed": True, "seconds_left": 60, "tunnels_in_use": 0}
    assert nrs("drain", "--deadline", 60).returncode == 0
    assert router.asked == [{"command": "drain", "deadline": 60.0}]


@pytest.mark.parametrize("deadline", ["-1", "604801", "inf", "soon", ""])
def test_an_impossible_deadline_reaches_no_router(nrs: Nrs, router: Router, deadline: str) -> None:
    done = nrs("drain", "--deadline", deadline)
    assert done.returncode == 2
    assert done.stderr
    assert router.asked == []


def test_a_router_that_refuses(nrs: Nrs, router: Router) -> None:
    router.answer = ValueError("cannot be kept in /var/lib: No space left on device")
    done = nrs("undrain")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == ("routing_server: cannot be kept in /var/lib: No space left on device\n")


@pytest.mark.parametrize("command", ["drain", "undrain"])
def test_a_host_that_is_no_router_and_a_router_that_does_not_run(nrs: Nrs, command: str) -> None:
    done = nrs(command)
    assert done.returncode == 1
    if UNITS["routing_server"].config_file.exists():
        assert done.stderr.startswith("the routing server is not running: no control socket at")
    else:
        assert done.stderr.startswith("this host is not a routing server: there is no")
