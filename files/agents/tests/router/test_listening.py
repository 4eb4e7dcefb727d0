"""The sockets of a router's ports, and those that an earlier process has left."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import ExitStack

import pytest

from nrs.router.listening import listen
from nrs.system.descriptor_store import DescriptorStore
from nrs.tunnel.udp_socket import UdpSocket

HERE = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    with ExitStack() as opened:
        return [opened.enter_context(bound()).getsockname()[1] for _ in range(count)]


def bound() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HERE, 0))
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


def run(kept: dict[str, int], ports: list[int]) -> list[int]:
    """What each socket of a process is, as its inode; the process ends."""
    with ExitStack() as cleanup:
        sockets = listen(HERE, ports, Store(kept), cleanup)
        assert [one.port for one in sockets] == ports
        assert [one.local_address for one in sockets] == [(HERE, port) for port in ports]
        return [os.fstat(one.fd).st_ino for one in sockets]


def test_sockets_go_on_by_their_ports_in_whatever_order() -> None:
    kept: dict[str, int] = {}
    a, b, c = free_ports(3)
    first = dict(zip((a, b), run(kept, [a, b]), strict=True))
    assert set(kept) == {"udp", f"udp.{b}"}
    assert run(kept, [b, a]) == [first[b], first[a]]
    assert run(kept, [b]) == [first[b]], "the first one's is closed, as nobody wants it"
    assert len(kept) == 1
    bound_again = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with bound_again:
        bound_again.bind((HERE, a))
    ports = [c, a, b]
    third = dict(zip(ports, run(kept, ports), strict=True))
    assert third[b] == first[b]
    assert len(kept) == 3
    assert run(kept, [a, b, c]) == [third[a], third[b], third[c]]
    for fd in kept.values():
        os.close(fd)


def test_a_port_that_is_taken_leaves_none_open() -> None:
    with bound() as taken:
        free, port = free_ports(1)[0], taken.getsockname()[1]
        kept: dict[str, int] = {}
        with pytest.raises(OSError, match=f"UDP {HERE} port {port}") as error:
            run(kept, [free, port])
        assert error.value.errno == errno.EADDRINUSE
    for fd in kept.values():
        os.close(fd)
    UdpSocket(HERE, free).close()
