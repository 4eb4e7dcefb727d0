"""Descriptors on their way to systemd and back."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from nrs.system.descriptor_store import DescriptorStore


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for fd in (reader, writer):
        try:
            os.close(fd)
        except OSError:
            continue


def told(manager: socket.socket) -> tuple[list[str], list[int]]:
    data, fds, _, _ = socket.recv_fds(manager, 1000, 4)
    return data.decode().splitlines(), list(fds)


def test_what_is_kept_is_the_same_object(manager: socket.socket, pipe: tuple[int, int]) -> None:
    DescriptorStore({}).keep("tun", pipe[1])
    lines, (fd,) = told(manager)
    assert lines == ["FDSTORE=1", "FDNAME=tun", "FDPOLL=0"]
    os.write(fd, b"same")
    os.close(fd)
    assert os.read(pipe[0], 10) == b"same"


def test_the_new_one_takes_the_place_of_the_old(
    manager: socket.socket, pipe: tuple[int, int]
) -> None:
    store = DescriptorStore({})
    store.keep("udp.r1", pipe[0])
    store.keep("udp.r1", pipe[1])
    kinds = []
    for _ in range(3):
        lines, fds = told(manager)
        kinds.append(lines[0])
        assert lines[1] == "FDNAME=udp.r1"
        for fd in fds:
            os.close(fd)
    assert kinds == ["FDSTORE=1", "FDSTOREREMOVE=1", "FDSTORE=1"]


def test_what_nobody_takes_is_let_go(manager: socket.socket, pipe: tuple[int, int]) -> None:
    store = DescriptorStore({"tun": pipe[0], "udp": pipe[1]})
    assert store.take("tun") == pipe[0]
    assert store.take("tun") is None
    store.drop_untaken()
    assert told(manager)[0] == ["FDSTOREREMOVE=1", "FDNAME=udp"]
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(pipe[1])
    os.fstat(pipe[0])
    store.drop_all()
    assert told(manager)[0] == ["FDSTOREREMOVE=1", "FDNAME=tun"]
    store.drop("tun")
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(100)


@pytest.mark.parametrize("name", ["a:b", "a\n", "ä", "n" * 256])
def test_a_name_that_systemd_does_not_take_is_a_mistake(pipe: tuple[int, int], name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        DescriptorStore({}).keep(name, pipe[0])


CHILD = """
import os, sys
from nrs.system.descriptor_store import DescriptorStore
os.environ["LISTEN_PID"] = {pid}
store = DescriptorStore.of_process()
fds = [store.take(name) for name in ("tun", "udp")]
print(*fds, "LISTEN_FDS" in os.environ, *(os.get_inheritable(fd) for fd in fds if fd))
"""


@pytest.mark.parametrize(
    ("pid", "printed"), [("str(os.getpid())", "3 4 False False False"), ("'1'", "None None False")]
)
def test_a_process_finds_what_is_meant_for_it(
    pipe: tuple[int, int], pid: str, printed: str
) -> None:
    """The launcher of the tests in namespaces does it as systemd: numbers from 3 on."""
    script = (
        "import os,fcntl,sys\n"
        "a=[fcntl.fcntl(int(f),fcntl.F_DUPFD,100) for f in sys.argv[1:3]]\n"
        "os.dup2(a[0],3); os.dup2(a[1],4)\n"
        "os.execv(sys.executable,[sys.executable,'-c',sys.argv[3]])"
    )
    child = subprocess.run(
        [sys.executable, "-c", script, *map(str, pipe), CHILD.format(pid=pid)],
        env={**os.environ, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "tun:udp"},
        pass_fds=pipe,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert child.stdout.strip() == printed


def test_outside_systemd_nothing_outlives_the_process(
    monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, int]
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    store = DescriptorStore.of_process({})
    store.keep("tun", pipe[0])
    store.drop_all()
    assert not store.available
