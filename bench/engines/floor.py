"""The floor (`bench/floor.c`): the same offloads and the same tag, and nothing else."""

from __future__ import annotations

from pathlib import Path

from bench.compiler import compiled
from bench.engines.base import INNER, Missing, Tunnel, set_up_device, wait_for_device
from bench.pair import UNDERLAY, Pair
from bench.settings import Places
from testbed.failed import Failed

DEVICE = "floor0"
# As the agents set their TUN device, so that one read is one send.
GSO_BYTES = 60_000
GSO_SEGMENTS = 64
_SOURCE = Path(__file__).resolve().parent.parent / "floor.c"


class Floor:
    """See `base.Engine`."""

    name = "floor"
    version = "bench/floor.c, gcc -O2"

    def __init__(self, places: Places) -> None:
        self._places = places

    def prepare(self) -> None:
        try:
            self._program = compiled(self._places, _SOURCE, "crypto")
        except Failed as error:
            raise Missing(str(error)) from None

    def start(self, pair: Pair) -> Tunnel:
        children = []
        for host, peer in (("a", "b"), ("b", "a")):
            command = [self._program, DEVICE, UNDERLAY[host], UNDERLAY[peer]]
            children.append(pair.start(host, self.name, command))
            wait_for_device(pair, host, DEVICE)
            set_up_device(pair, host, DEVICE, gso_bytes=GSO_BYTES, gso_segments=GSO_SEGMENTS)
        return Tunnel(INNER["b"], children)
