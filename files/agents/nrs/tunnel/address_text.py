"""Socket addresses as people read them. Pure."""

from __future__ import annotations

from typing import Any


def describe(peer: tuple[Any, ...]) -> str:
    """`address:port` of a socket address, IPv4 shown as such."""
    if not peer:
        return "the connected peer"
    host = str(peer[0]).removeprefix("::ffff:")
    return f"[{host}]:{peer[1]}" if ":" in host else f"{host}:{peer[1]}"
