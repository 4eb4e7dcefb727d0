from __future__ import annotations

import ipaddress
import math
import os

import pytest

from nrs.endpoint.flows import ACK
from nrs.endpoint.nudge import AT_ONCE, PAUSE_S, Nudges, nudge
from nrs.tunnel import inner
from tests.netns.capture import Seen, sum16

OWN = {4: ipaddress.ip_address("10.10.100.1"), 6: ipaddress.ip_address("fd00:10:100::1")}
PEER = {4: ipaddress.ip_address("198.51.100.10"), 6: ipaddress.ip_address("2001:db8:100::10")}


def flow(version: int, port: int = 4000, protocol: int = inner.TCP) -> bytes:
    ports = port.to_bytes(2, "big") + b"\x00\x50"
    return bytes((protocol,)) + OWN[version].packed + PEER[version].packed + ports


@pytest.mark.parametrize("version", [4, 6])
def test_it_comes_from_the_peer_and_is_whole(version: int) -> None:
    packet = nudge(flow(version), 0xDEADBEEF)
    assert packet is not None
    assert inner.flow_key(packet) == (
        bytes((inner.TCP,)) + PEER[version].packed + OWN[version].packed + b"\x00\x50\x0f\xa0"
    )
    assert inner.tcp_flags(packet) == ACK
    assert inner.transport(packet) == (inner.TCP, len(packet) - 20)
    seen = Seen(packet, outgoing=False, partial=False)
    assert seen.checksum_is_right()
    assert seen.payload[4:8] == b"\xde\xad\xbe\xef"
    if version == 4:
        assert sum16(packet[:20]) == 0xFFFF
        assert int.from_bytes(packet[2:4], "big") == len(packet)
    else:
        assert int.from_bytes(packet[4:6], "big") == len(packet) - 40


def test_other_flows_and_fragments_get_none() -> None:
    assert nudge(flow(4, protocol=inner.UDP), 0) is None
    assert nudge(flow(4)[:9], 0) is None
    assert nudge(b"", 0) is None


def test_many_are_spread_over_time() -> None:
    nudges = Nudges(os.urandom)
    assert nudges.next_due() == math.inf
    nudges.add([flow(4, port) for port in range(2 * AT_ONCE + 1)])
    nudges.add([flow(4, 9, inner.UDP), flow(6)])
    sent = nudges.due(1.0)
    for turn, expected in enumerate((AT_ONCE, 2 * AT_ONCE, 2 * AT_ONCE + 2)):
        assert len(sent) == expected
        assert nudges.due(1.0 + (turn + 0.5) * PAUSE_S) == []
        assert nudges.next_due() == (1.0 + (turn + 1) * PAUSE_S if turn < 2 else math.inf)
        sent += nudges.due(1.0 + (turn + 1) * PAUSE_S)
    assert len(set(sent)) == len(sent) == 2 * AT_ONCE + 2
    nudges.add([flow(4)])
    assert len(nudges.due(9.0)) == 1
