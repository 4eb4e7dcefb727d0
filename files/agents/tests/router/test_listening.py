"""The sockets of a router's ports, and those that an earlier process has left."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from testbed.ports import free_port

from nrs.router.listening import Port, listen
from nrs.system.descriptor_store import DescriptorStore
from nrs.tunnel.udp_socket import UdpSocket

HERE = "127.0.0.1"


def bound(port: int = 0) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HERE, port))
    return sock


class Store(DescriptorStore):
    """Keeps them in this process, as systemd does outside."""

    def __init__(self, kept: dict[str, int]) -> None:
        super().__init__({name: os.dup(fd) for name, fd in kept.items()})
        self.kept = kept

    def keep(self, name: str, fd: int) -> None:
        assert name not in self.kept
        self.kept[name] = os.dup(fd)

    def drop(self, name: str) -> None:
        super().drop(name)
        os.close(self.kept.pop(name))


Inodes = tuple[int, int]
"""What the sockets of a port are: that of sessions, that of strays."""


def run(kept: dict[str, int], ports: list[int]) -> list[Inodes]:
    """What each port has in a process, which ends."""
    with ExitStack() as cleanup:
        found = listen(HERE, ports, Store(kept), cleanup)
        for sockets in zip(*found, strict=True):
            assert [one.local_address for one in sockets] == [(HERE, port) for port in ports]
        return [(inode(one.sessions.fd), inode(one.strays.fd)) for one in found]


@contextmanager
def process(kept: dict[str, int], port: int) -> Iterator[Port]:
    """The sockets of a port in one that runs."""
    with ExitStack() as cleanup:
        (found,) = listen(HERE, [port], Store(kept), cleanup)
        yield found


def inode(fd: int) -> int:
    return os.fstat(fd).st_ino


@pytest.fixture
def kept() -> Iterator[dict[str, int]]:
    """What is in systemd's store."""
    store: dict[str, int] = {}
    yield store
    for fd in store.values():
        os.close(fd)


def test_sockets_go_on_by_their_ports_in_whatever_order(kept: dict[str, int]) -> None:
    a, b, c = free_port(), free_port(), free_port()
    first = dict(zip((a, b), run(kept, [a, b]), strict=True))
    assert set(kept) == {"udp", f"udp.{b}", f"strays.{a}", f"strays.{b}"}
    assert run(kept, [b, a]) == [first[b], first[a]]
    assert run(kept, [b]) == [first[b]], "the first one's is closed, as nobody wants it"
    assert len(kept) == 2
    bound(a).close()
    ports = [c, a, b]
    third = dict(zip(ports, run(kept, ports), strict=True))
    assert third[b] == first[b]
    assert len(kept) == 6
    assert run(kept, [a, b, c]) == [third[a], third[b], third[c]]


def test_a_port_that_is_taken_leaves_none_open(kept: dict[str, int]) -> None:
    with bound() as taken:
        free, port = free_port(), taken.getsockname()[1]
        with pytest.raises(OSError, match=f"UDP {HERE} port {port}") as error:
            run(kept, [free, port])
        assert error.value.errno == errno.EADDRINUSE
    for fd in kept.values():
        os.close(fd)
    kept.clear()
    UdpSocket(HERE, free).close()


def test_a_port_of_another_router_of_the_same_user_is_taken(kept: dict[str, int]) -> None:
    port = free_port()
    run(kept, [port])
    with pytest.raises(OSError, match=f"UDP {HERE} port {port}") as error:
        run({}, [port])
    assert error.value.errno == errno.EADDRINUSE


def test_a_socket_of_a_release_that_had_one_a_port_goes_on(kept: dict[str, int]) -> None:
    with bound(free_port()) as before:
        port, kept["udp"] = before.getsockname()[1], os.dup(before.fileno())
        ((sessions, strays),) = run(kept, [port])
        assert sessions == inode(before.fileno())
        with bound() as sender, process(kept, port) as found:
            sender.sendto(b"short", (HERE, port))
            assert found.strays.receive_into(bytearray(100))[0] == len(b"short")
        assert strays != sessions


def test_a_release_that_has_one_a_port_gets_all_of_it(kept: dict[str, int]) -> None:
    """It knows of no socket of strays, and closes it."""
    port = free_port()
    run(kept, [port])
    os.close(kept.pop(f"strays.{port}"))
    with bound() as sender, socket.socket(fileno=os.dup(kept["udp"])) as left:
        sender.sendto(b"short", (HERE, port))
        assert left.recv(100) == b"short"
    assert len(run(kept, [port])) == 1


def test_strays_without_sessions_are_made_anew(kept: dict[str, int]) -> None:
    """A socket by itself would come first in its group."""
    port = free_port()
    run(kept, [port])
    os.close(kept.pop("udp"))
    run(kept, [port])
    with bound() as sender, process(kept, port) as found:
        sender.sendto(b"short", (HERE, port))
        assert found.strays.receive_into(bytearray(100))[0] == len(b"short")
