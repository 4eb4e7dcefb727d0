"""Whoever reads packets beyond the tunnel finds their checksums right."""

from __future__ import annotations

from tests.netns import transfer
from tests.netns.capture import Capture, complete_checksums
from tests.netns.conftest import one_router
from tests.netns.world import BUSINESS, World

TCP, UDP = 6, 17


def traffic(world: World) -> None:
    for address in BUSINESS:
        transfer.tcp(world, address, 1_000_000)
        transfer.tcp(world, address, 1_000_000, upload=True)
        transfer.udp(world, address)


def test_a_plain_reader_sees_right_checksums(world: World, codec: str) -> None:
    """On a wire behind a card without offloads complete ones, on the devices at least begun."""
    one_router(world)
    complete_checksums(world, "router_a", "egress0")
    with (
        Capture(world, "business", "r1") as wire,
        Capture(world, "router_a", "tun0") as router,
        Capture(world, "endpoint", "tun0") as endpoint,
    ):
        traffic(world)
        for capture, least in ((wire, 300), (router, 50), (endpoint, 50)):
            arrived = [
                seen
                for seen in capture.packets()
                if not seen.outgoing and seen.protocol in {TCP, UDP} and not fragment(seen.packet)
            ]
            families = {(seen.packet[0] >> 4, seen.protocol) for seen in arrived}
            assert families == {(4, TCP), (4, UDP), (6, TCP), (6, UDP)}
            assert len(arrived) >= least
            wrong = [seen for seen in arrived if not seen.checksum_is_right()]
            assert not wrong, f"{len(wrong)} of {len(arrived)}: {wrong[0]}"
            if capture is wire:
                assert not any(seen.partial for seen in arrived)


def fragment(packet: bytes) -> bool:
    """Whether the checksum covers more than is here."""
    if packet[0] >> 4 == 4:
        return bool(packet[6] & 0x3F or packet[7])
    return packet[6] == 44
