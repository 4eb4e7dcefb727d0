"""IPv4 settings of interfaces, as they are in force."""

from __future__ import annotations

from pathlib import Path

_ROOT = Path("/proc/sys/net/ipv4/conf")


def value_of(interface: str, key: str) -> int | None:
    """What is set for `interface`, which may be `all`; None where it is not there."""
    try:
        return int((_ROOT / interface / key).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def in_force(interface: str, key: str) -> int:
    """Of those of which the kernel takes the larger: the interface's, and that of all."""
    return max(value_of(name, key) or 0 for name in (interface, "all"))
