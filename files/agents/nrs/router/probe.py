"""ICMP echoes that take the way of an endpoint's packets: in by the TUN device, out by the egress.

    TUN device --probe--> FORWARD, masquerading --> egress --> who is asked
    TUN device <--answer-- FORWARD, conntrack <---- egress <--

Their source is an address of the TUN device's network that nobody has, so that the answer comes
back out of the device. Each begins a connection of its own, as conntrack sees it: a firewall that
lets only old ones pass is noticed too. Pure; RFC 792, RFC 4443.
"""

from __future__ import annotations

import itertools
import struct
from collections import deque
from collections.abc import Callable
from itertools import islice

from nrs.config.types import IPAddress, IPNetwork
from nrs.system.checksum import internet_checksum

_ICMP, _ICMP6 = 1, 58
_REQUEST4, _REQUEST6 = 8, 128
_ECHO = struct.Struct("!BBHHH")
_IP4 = struct.Struct("!BBHHHBBH4s4s")
_IP6 = struct.Struct("!IHBB16s16s")
_HOPS = 64
_MOST_WAITING = 16
"""Probes whose answer is still taken."""
_MOST_LOOKED_AT = 4096
"""Addresses of a network, from its end on."""
PAYLOAD = b"nrs path probe  "


def free_address(network: IPNetwork, taken: Callable[[IPAddress], bool]) -> IPAddress | None:
    """The highest address of a network, but its last, that is not taken; None without one."""
    low, high = int(network.network_address), int(network.broadcast_address)
    for number in islice(range(high - 1, low, -1), _MOST_LOOKED_AT):
        address = network.network_address + (number - low)
        if not taken(address):
            return address
    return None


def echo_request(source: IPAddress, destination: IPAddress, identifier: int) -> bytes:
    """An IP packet with an ICMP echo request and complete checksums."""
    kind = _REQUEST4 if source.version == 4 else _REQUEST6
    length = _ECHO.size + len(PAYLOAD)
    pseudo = b""
    if source.version == 6:
        pseudo = source.packed + destination.packed + struct.pack("!II", length, _ICMP6)
    echo = _ECHO.pack(kind, 0, 0, identifier, 1) + PAYLOAD
    checksum = internet_checksum(pseudo + echo)
    echo = _ECHO.pack(kind, 0, checksum, identifier, 1) + PAYLOAD
    if source.version == 6:
        head = _IP6.pack(6 << 28, length, _ICMP6, _HOPS, source.packed, destination.packed)
        return head + echo
    words = [0x45, 0, _IP4.size + length, identifier, 0, _HOPS, _ICMP, 0]
    words[-1] = internet_checksum(_IP4.pack(*words, source.packed, destination.packed))
    return _IP4.pack(*words, source.packed, destination.packed) + echo


class Probes:
    """`next` makes one, `take` is shown what comes back, `answered` tells of it."""

    def __init__(self, first: int) -> None:
        """`first`: the first identifier, 16 bits, best a random one."""
        self._identifiers = itertools.count(first)
        self._waiting: deque[bytes] = deque(maxlen=_MOST_WAITING)
        self._answered: set[int] = set()

    def next(self, source: IPAddress, destination: IPAddress) -> bytes:
        """A packet that has not been sent before."""
        identifier = next(self._identifiers) & 0xFFFF
        protocol = _ICMP if source.version == 4 else _ICMP6
        addresses = destination.packed + source.packed
        self._waiting.append(bytes((protocol,)) + addresses + identifier.to_bytes(2, "big"))
        return echo_request(source, destination, identifier)

    def take(self, flow: bytes) -> bool:
        """Whether a packet of this flow (`inner.flow_key`) is the answer to one of them."""
        if flow not in self._waiting:
            return False
        self._waiting.remove(flow)
        self._answered.add(4 if flow[0] == _ICMP else 6)
        return True

    def answered(self, version: int) -> bool:
        """Whether one of a family has been answered since the last call for it."""
        answered = version in self._answered
        self._answered.discard(version)
        return answered
