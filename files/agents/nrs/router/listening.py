"""The sockets that tunnels arrive at, one a port, kept for a later process in systemd's store."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from nrs.system.descriptor_store import DescriptorStore
from nrs.tunnel.udp_socket import UdpSocket, port_of

_NAME = "udp"


def listen(
    address: str, ports: Sequence[int], store: DescriptorStore, cleanup: ExitStack
) -> list[UdpSocket]:
    """A socket at each of the ports, in their order; `cleanup` closes them. Raises OSError.

    Those of an earlier process are gone on with, by their ports, whatever they are called.
    """
    found: dict[int, UdpSocket] = {}
    called: set[str] = set()
    for name in store.inherited(_NAME):
        fd = store.take(name)
        port = 0 if fd is None else port_of(fd)
        adopted = None if fd is None else UdpSocket.adopt(fd, address, port)
        if adopted is None or port not in ports:
            if adopted is not None:
                adopted.close()
            store.drop_now(name)  # it may be at a port that is wanted
            continue
        cleanup.callback(adopted.close)
        found[port] = adopted
        called.add(name)
    for port in ports:
        if port not in found:
            found[port] = UdpSocket(address, port)
            cleanup.callback(found[port].close)
            name = f"{_NAME}.{port}" if called else _NAME
            store.keep(name, found[port].fd)
            called.add(name)
    return [found[port] for port in ports]
