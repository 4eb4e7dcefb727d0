"""What an engine counts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from nrs.tunnel.codec.carrier import Totals
from nrs.tunnel.codec.sieve import Sifted
from nrs.tunnel.drop import Drop


@dataclass
class Figures:
    """Packets and bytes are inner ones; received is what came out of the tunnel."""

    rx_packets: int = 0
    tx_packets: int = 0
    rx_bytes: int = 0
    tx_bytes: int = 0
    rx_datagrams: int = 0
    tx_datagrams: int = 0
    batches: int = 0
    batched_packets: int = 0
    drops: dict[Drop, int] = field(default_factory=lambda: dict.fromkeys(Drop, 0))

    def with_totals(self, sent: Totals, received: Totals) -> Figures:
        """These, and what a codec has counted."""
        drops = dict(self.drops)
        for reason, count in (
            (Drop.TAG, received.tag),
            (Drop.REPLAY, received.replay),
            (Drop.SOURCE, received.source),
            (Drop.MALFORMED, sent.malformed + received.malformed + received.refused),
            (Drop.FULL, sent.full + received.full),
        ):
            drops[reason] += count
        return Figures(
            rx_packets=self.rx_packets + received.packets,
            tx_packets=self.tx_packets + sent.packets,
            rx_bytes=self.rx_bytes + received.bytes,
            tx_bytes=self.tx_bytes + sent.bytes,
            rx_datagrams=self.rx_datagrams + received.datagrams,
            tx_datagrams=self.tx_datagrams + sent.datagrams,
            batches=self.batches + sent.batches,
            batched_packets=self.batched_packets + sent.batched,
            drops=drops,
        )

    def with_strays(self, sifted: Sifted, left_out: int) -> Figures:
        """These, and what was dropped of strangers; `left_out` datagrams were too many."""
        drops = dict(self.drops)
        for reason, count in (
            (Drop.MALFORMED, sifted.malformed),
            (Drop.TAG, sifted.tag),
            (Drop.NO_SESSION, sifted.no_session),
            (Drop.RATE, sifted.rate + left_out),
        ):
            drops[reason] += count
        dropped = sum(drops.values()) - sum(self.drops.values())
        return replace(self, rx_datagrams=self.rx_datagrams + dropped, drops=drops)

    def dropped(self, reason: Drop, count: int = 1) -> None:
        """Count a drop."""
        self.drops[reason] += count

    def as_dict(self) -> dict[str, object]:
        """For status and metrics."""
        return {
            "rx_packets": self.rx_packets,
            "tx_packets": self.tx_packets,
            "rx_bytes": self.rx_bytes,
            "tx_bytes": self.tx_bytes,
            "rx_datagrams": self.rx_datagrams,
            "tx_datagrams": self.tx_datagrams,
            "batches": self.batches,
            "batch_fill": round(self.batched_packets / self.batches, 2) if self.batches else 0.0,
            "drops": {reason.value: count for reason, count in self.drops.items()},
        }
