"""Holds idle TLS connections that have asked once, until its input ends.

Usage: holder.py PORT COUNT TOKEN... They are shared out among addresses of the loopback network and
tokens, as the connections of one credential are few. Says how many there are.
"""

from __future__ import annotations

import resource
import socket
import ssl
import sys

_SOURCES = 250


def hold(port: int, count: int, tokens: list[str]) -> list[ssl.SSLSocket]:
    """The connections, each with its one answer read. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    held = []
    for number in range(count):
        sock = socket.create_connection(
            ("127.0.0.1", port), 30, (f"127.8.0.{number % _SOURCES + 1}", 0)
        )
        wrapped = context.wrap_socket(sock)
        token = tokens[number % len(tokens)]
        wrapped.sendall(
            "GET /algorithm HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {token}\r\n\r\n".encode()
        )
        if not wrapped.recv(4096):
            raise OSError("closed without an answer")
        held.append(wrapped)
    return held


if __name__ == "__main__":
    _, _most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_most, _most))
    _held = hold(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
    print(f'{{"held": {len(_held)}}}', flush=True)
    sys.stdin.read()
