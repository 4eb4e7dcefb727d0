"""Lines for `ip -batch` that make links and give them addresses. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def cable(name: str, peer: str, far: str, *, index: int | None = None) -> str:
    """A veth pair from here to `peer` in the namespace `far`, perhaps of one index at both ends."""
    number = "" if index is None else f" index {index}"
    return f"link add {name}{number} type veth peer name {peer}{number} netns {far}"


def bridge(name: str) -> str:
    """Without ports it takes everything and drops it.

    Snooping would drop neighbour solicitations: nothing here sends the queries it needs.
    """
    return f"link add {name} type bridge mcast_snooping 0 forward_delay 0"


def up(name: str, addresses: Iterable[str] = ()) -> list[str]:
    """Give a link addresses, with prefix lengths, which can be used at once, and bring it up."""
    return [*(address(each, name) for each in addresses), f"link set {name} up"]


def address(text: str, device: str) -> str:
    """One address, with prefix length."""
    return f"address add {text} dev {device}{' nodad' if ':' in text else ''}"
