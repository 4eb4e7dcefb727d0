"""TCP ports for servers that tests and benchmarks start."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

from testbed.failed import Failed

LOWEST = 10_000
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A TCP port that nothing uses and that stays this process's.

    It lies below those that the kernel gives to connections, as one of these would take it
    between now and the server's start. A name in the network namespace, which is free again when
    this process has ended, keeps it from whoever else asks here. Raises Failed if there is none.
    """
    first_ephemeral = int(EPHEMERAL.read_text().split()[0])
    ports = range(LOWEST, first_ephemeral)
    for port in secrets.SystemRandom().sample(ports, len(ports)):
        reservation = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            reservation.bind(f"\0nrs-test-port-{port}")
            _bind_everywhere(port)
        except OSError:
            reservation.close()
        else:
            reservation.detach()
            return port
    raise Failed(f"no TCP port from {LOWEST} to {first_ephemeral - 1} is free")


def _bind_everywhere(port: int) -> None:
    """Raises OSError if something has the port, at any address of either family."""
    with socket.socket(socket.AF_INET6) as found:
        found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        found.bind(("::", port))
