"""What every tunnel is asked for."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bench.pair import Pair
from testbed.failed import Failed
from testbed.process import Child
from testbed.wait import wait_until

MTU = 1400
QUEUE_FRAMES = 2000
"""Of every TUN device, as our agents set it."""
INNER = {"a": "10.10.100.1", "b": "10.10.1.1"}
_APPEARS_S = 10.0


class Missing(Failed):
    """The engine is not on this machine; the text says what it lacks."""


@dataclass(frozen=True)
class Tunnel:
    """A tunnel between hosts `a` and `b` that is being set up."""

    address: str
    """Host b's, at the other end of the tunnel as host a sees it."""
    processes: Sequence[Child] = field(default_factory=tuple)
    """Whose processor time is the tunnel's: these and what they start."""
    settle_s: float = 0.0
    """How long it carries packets before it is as it stays."""


class Engine(Protocol):
    """A way to carry packets from host a to host b."""

    @property
    def name(self) -> str:
        """Its name in the table."""

    @property
    def version(self) -> str:
        """What exactly it is."""

    def prepare(self) -> None:
        """Build or find what it needs. Raises Missing."""

    def start(self, pair: Pair) -> Tunnel:
        """Start both ends. Raises Failed."""


def need(program: str, package: str) -> None:
    """Raises Missing."""
    if shutil.which(program) is None:
        raise Missing(f"{program} is not there (package {package})")


def set_up_device(
    pair: Pair, host: str, device: str, *, gso_bytes: int = 0, gso_segments: int = 0
) -> None:
    """Give a TUN device its address, the inner MTU and queue, and a route to the other end."""
    other = "b" if host == "a" else "a"
    words = ["mtu", str(MTU), "txqueuelen", str(QUEUE_FRAMES), "up"]
    if gso_bytes:
        words += ["gso_max_size", str(gso_bytes), "gso_max_segs", str(gso_segments)]
    pair.host(host).ip("addr", "add", INNER[host], "peer", INNER[other], "dev", device)
    pair.host(host).ip("link", "set", device, *words)


def wait_for_device(pair: Pair, host: str, device: str) -> None:
    """Until the engine has made it. Raises Failed."""

    def appears() -> bool:
        pair.check()
        return any(link["ifname"] == device for link in pair.host(host).ip_json("link", "show"))

    wait_until(appears, _APPEARS_S, f"there is a device {device}")
