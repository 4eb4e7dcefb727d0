"""The socket that a service listens on."""

from __future__ import annotations

import socket

_BACKLOG = 4096
"""A flood of connections is not to keep an honest one out until its next SYN, a second later."""


def listen(address: str, port: int) -> socket.socket:
    """A listening TCP socket; `::` serves IPv4 too. Raises OSError."""
    # The look-up finds the interface that a link-local address names.
    found = socket.getaddrinfo(
        address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_PASSIVE
    )
    family, _, _, _, place = found[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(place)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
