"""No tunnel: the plain link, the ceiling."""

from __future__ import annotations

from bench.engines.base import Tunnel
from bench.pair import UNDERLAY, Pair
from bench.settings import Places


class Veth:
    """See `base.Engine`."""

    name = "veth"
    version = "no tunnel, MTU 1500"

    def __init__(self, places: Places) -> None:
        pass

    def prepare(self) -> None:
        """Nothing to do."""

    def start(self, pair: Pair) -> Tunnel:
        return Tunnel(UNDERLAY["b"])
