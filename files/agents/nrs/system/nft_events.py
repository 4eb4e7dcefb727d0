"""Tells that somebody has changed the host's nftables (nfnetlink, linux/netfilter/nfnetlink.h)."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress

_SOL_NETLINK = 270
_ADD_MEMBERSHIP = 1
_GROUP_NFTABLES = 7
_NETLINK_NETFILTER = 12
_RECEIVE_BYTES = 65536


class NftEvents:
    """A socket that is readable after every change; what has changed is asked for elsewhere."""

    def __init__(self) -> None:
        """Needs CAP_NET_ADMIN. Raises OSError."""
        self._socket = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK,
            _NETLINK_NETFILTER,
        )
        try:
            self._socket.bind((0, 0))
            self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _GROUP_NFTABLES)
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """For a poller."""
        return self._socket.fileno()

    def changed(self) -> bool:
        """Whether there was a change since the last call; never waits."""
        found = False
        with suppress(BlockingIOError):
            while True:
                try:
                    self._socket.recv(_RECEIVE_BYTES)
                except OSError as error:
                    if error.errno != errno.ENOBUFS:
                        raise
                found = True
        return found

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
