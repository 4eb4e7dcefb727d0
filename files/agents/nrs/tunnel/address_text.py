"""Socket addresses and ports as people read them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def describe(peer: tuple[Any, ...]) -> str:
    """`address:port` of a socket address, IPv4 shown as such, a scope by its number."""
    if not peer:
        return "the connected peer"
    host, _, _ = str(peer[0]).removeprefix("::ffff:").partition("%")
    if len(peer) > 3 and peer[3]:
        host = f"{host}%{peer[3]}"
    return f"[{host}]:{peer[1]}" if ":" in host else f"{host}:{peer[1]}"


def name_ports(ports: Sequence[int]) -> str:
    """`port 51820`, or `ports 51820, 443`."""
    return f"port{'s' if len(ports) > 1 else ''} {', '.join(map(str, ports))}"
