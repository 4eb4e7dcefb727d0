"""Whether this host has IPv6: it may be switched off by sysctl, or at boot."""

from __future__ import annotations

import socket
from pathlib import Path

_SETTINGS = Path("/proc/sys/net/ipv6/conf")


def is_on(interface: str) -> bool:
    """Whether the interface, which is there, can have IPv6 addresses."""
    try:
        setting = (_SETTINGS / interface / "disable_ipv6").read_text(encoding="ascii")
    except OSError:
        return False
    return setting.strip() == "0"


def bindable(address: str) -> str:
    """`address`, but `0.0.0.0` in place of `::` where the kernel has no IPv6 at all."""
    if address == "::":
        try:
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close()
        except OSError:
            return "0.0.0.0"
    return address
