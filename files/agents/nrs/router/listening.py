"""The sockets that tunnels arrive at, two a port, kept for a later process in systemd's store.

One is for sessions' datagrams, the other for everybody else's, so that strangers wait among
themselves; the kernel tells them apart by `session_index.divider`, at first HELLOs alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from nrs.router import session_index
from nrs.system.descriptor_store import DescriptorStore
from nrs.tunnel.udp_socket import UdpSocket, port_of

_SESSIONS = "udp"
_STRAYS = "strays"
"""Begins otherwise: releases without such sockets take all that begin as those of sessions."""
_STRAYS_BYTES = 512 << 10
"""Room for some 600 HELLOs, which wait for a few milliseconds."""


class Port(NamedTuple):
    """The sockets of a port; what is sent goes through that of the sessions."""

    sessions: UdpSocket
    strays: UdpSocket


def listen(
    address: str, ports: Sequence[int], store: DescriptorStore, cleanup: ExitStack
) -> list[Port]:
    """The sockets of each port, in their order; `cleanup` closes them. Raises OSError.

    Those of an earlier process are gone on with, by their ports, whatever they are called.
    """
    sessions = _adopted(_SESSIONS, address, ports, None, store, cleanup)
    # One by itself would come first in its group.
    strays = _adopted(_STRAYS, address, sessions, _STRAYS_BYTES, store, cleanup)
    plain = not sessions
    for port in ports:
        if port not in sessions:
            # Whoever else has it may share it with this user's.
            UdpSocket(address, port).close()
            sessions[port] = UdpSocket(address, port, shared=True)
            cleanup.callback(sessions[port].close)
            store.keep(_SESSIONS if plain else f"{_SESSIONS}.{port}", sessions[port].fd)
            plain = False
        if port not in strays:
            strays[port] = UdpSocket(address, port, shared=True, receive_bytes=_STRAYS_BYTES)
            cleanup.callback(strays[port].close)
            store.keep(f"{_STRAYS}.{port}", strays[port].fd)
        sessions[port].divide(session_index.divider(None))
    return [Port(sessions[port], strays[port]) for port in ports]


def _adopted(
    kind: str,
    address: str,
    ports: Collection[int],
    receive_bytes: int | None,
    store: DescriptorStore,
    cleanup: ExitStack,
) -> dict[int, UdpSocket]:
    """Of an earlier process; those of other ports are closed. Raises OSError."""
    found: dict[int, UdpSocket] = {}
    for name in store.inherited(kind):
        fd = store.take(name)
        port = 0 if fd is None else port_of(fd)
        one = None
        if fd is not None:
            one = UdpSocket.adopt(fd, address, port, shared=True, receive_bytes=receive_bytes)
        if one is None or port not in ports:
            if one is not None:
                one.close()
            store.drop_now(name)  # it may be at a port that is wanted
            continue
        cleanup.callback(one.close)
        found[port] = one
    return found
