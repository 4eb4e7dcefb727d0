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
LIBCRYPTO = "libcrypto"
FASTEST = "fastest"
_SOURCE = Path(__file__).resolve().parent.parent / "floor.c"
_CRYPTO = _SOURCE.parent.parent / "files" / "agents" / "codec" / "crypto"
_IPSEC_MB = ":libIPSec_MB.a"
_NAMES = {FASTEST: "floor", LIBCRYPTO: "floor-libcrypto"}


class Floor:
    """See `base.Engine`. It tags by what is fastest, as the codec, or each datagram alone."""

    def __init__(self, places: Places, crypto: str = FASTEST) -> None:
        self._places = places
        self._crypto = crypto
        self.name = _NAMES[crypto]
        self.version = f"bench/floor.c {crypto}, gcc -O2"

    def prepare(self) -> None:
        beside = sorted(_CRYPTO.glob("*.[ch]"))
        try:
            try:
                self._program = compiled(
                    *(self._places, _SOURCE, _IPSEC_MB, "crypto"),
                    beside=beside,
                    defined=["NRS_IPSEC_MB"],
                )
            except Failed:  # as the codec is built where the library is not
                self._program = compiled(self._places, _SOURCE, "crypto", beside=beside)
                self.version += " without ipsec-mb"
        except Failed as error:
            raise Missing(str(error)) from None

    def start(self, pair: Pair) -> Tunnel:
        children = []
        for host, peer in (("a", "b"), ("b", "a")):
            command = [self._program, self._crypto, DEVICE, UNDERLAY[host], UNDERLAY[peer]]
            children.append(pair.start(host, self.name, command))
            wait_for_device(pair, host, DEVICE)
            set_up_device(pair, host, DEVICE, gso_bytes=GSO_BYTES, gso_segments=GSO_SEGMENTS)
        return Tunnel(INNER["b"], children)
