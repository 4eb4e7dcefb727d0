"""A namespace by its name: made, entered, left and gone."""

from __future__ import annotations

import socket
import subprocess
import threading
from pathlib import Path

import pytest

from testbed.command import run
from testbed.failed import Failed
from testbed.namespace import Namespace, existing


def own() -> int:
    return Path("/proc/thread-self/ns/net").stat().st_ino


def test_it_has_a_loopback_that_is_up_and_nothing_else(near: Namespace) -> None:
    (loopback,) = near.ip_json("link", "show")
    assert loopback["ifname"] == "lo"
    assert "UP" in loopback["flags"]


def test_those_that_exist_are_found_by_what_their_names_begin_with(
    near: Namespace, far: Namespace
) -> None:
    assert existing(near.name.removesuffix("near")) == [far, near]
    assert near.exists
    assert not Namespace(f"{near.name}-no").exists


def test_a_command_runs_in_it_as_the_process_that_was_started(near: Namespace) -> None:
    links = run(near.enter("ip", "-o", "link"))
    assert len(links.splitlines()) == 1
    process = subprocess.Popen(near.enter("sleep", 60))
    try:
        while Path(f"/proc/{process.pid}/comm").read_text() != "sleep\n":
            pass
        assert near.pids() == [process.pid]
    finally:
        process.kill()
        process.wait()


def test_a_command_sees_the_cgroups_of_outside(near: Namespace) -> None:
    assert run(near.enter("ls", "/sys/fs/cgroup")) == run(["ls", "/sys/fs/cgroup"]) != ""


def test_only_the_calling_thread_is_inside_and_only_meanwhile(near: Namespace) -> None:
    outside, seen = own(), []
    with near.inside():
        thread = threading.Thread(target=lambda: seen.append(own()))
        inside = own()
        assert inside == near.path.stat().st_ino != outside
    assert own() == outside
    thread.start()
    thread.join()
    assert seen == [outside]
    with pytest.raises(ZeroDivisionError), near.inside():
        raise ZeroDivisionError
    assert own() == outside


def test_a_socket_stays_where_it_was_opened(near: Namespace) -> None:
    near.ip("address", "add", "192.0.2.9/32", "dev", "lo")
    with near.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("192.0.2.9", 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened, pytest.raises(OSError):
        opened.bind(("192.0.2.9", 0))


def test_values_are_set_in_it_alone(near: Namespace) -> None:
    path = Path("/proc/sys/net/ipv4/conf/default/rp_filter")
    before = path.read_text()
    for value in ("1", "2"):
        near.set({"net/ipv4/conf/default/rp_filter": int(value)})
        assert run(near.enter("cat", path)).strip() == value
    assert path.read_text() == before


def test_whether_this_process_is_in_one(near: Namespace) -> None:
    assert not near.is_own
    program = f"from testbed.namespace import Namespace; print(Namespace({near.name!r}).is_own)"
    checkout = Path(__file__).resolve().parents[2]
    assert run(near.enter("python3", "-c", program), cwd=checkout) == "True\n"


def test_what_ip_refuses_is_told(near: Namespace) -> None:
    with pytest.raises(Failed, match=f"ip -n {near.name} link show no0: exit 1\n.*no0"):
        near.ip("link", "show", "no0")
    with pytest.raises(Failed, match="-batch"):
        near.batch(["link set lo up", "link set no0 up"])
    with pytest.raises(FileNotFoundError), Namespace("no-such").inside():
        raise AssertionError
