"""Many endpoints at once, each behind an address of its own: no more than their handshakes."""

from __future__ import annotations

import secrets
import select
import socket
import time
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv6Address

from nrs.config.secret import decode_psk
from nrs.tunnel import wire
from nrs.tunnel.codec.python import CODEC
from nrs.tunnel.codec.sealing import Sealer
from nrs.tunnel.handshake import Initiator, StaticKey
from nrs.tunnel.wire import Claim, Probe, Type
from tests.netns.world import UNDERLAY6, World

FIRST4, FIRST6 = IPv4Address("10.77.0.1"), IPv6Address("fd00:77::1")
"""Inner addresses, outside of the routers' own networks."""
NETWORK = "2001:db8:f000::/36"
_APART = 1 << 16
"""Between the indices of an endpoint's sessions."""
_IPV6_FREEBIND = 78
_AGAIN_S = 1.0
_GIVE_UP_S = 20.0


class Member:
    """One endpoint."""

    def __init__(self, world: World, psk: bytes, number: int) -> None:
        self.claim = Claim(f"endpoint_{number}", FIRST4 + number, FIRST6 + number)
        self._psk = psk
        self._index = number
        self.socket = world.socket("endpoint", socket.AF_INET6, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        self.socket.bind((f"2001:db8:f000:{number:x}::1", 0))
        self.socket.connect((UNDERLAY6["router_a"][1], 51820))
        self.begin()

    def begin(self) -> None:
        """Know nothing of a session."""
        self._index += _APART
        key = StaticKey(self._psk)
        self._initiator = Initiator(
            key, self.claim, self._index, secrets.token_bytes, time.time_ns() // 1000
        )
        self._sealer: Sealer | None = None
        self.up = False

    def say(self) -> None:
        """What takes its handshake on."""
        if self._sealer is None:
            self.socket.send(self._initiator.hello())
        else:
            self.socket.send(
                self._sealer.control(Type.PROBE, Probe(0, wire.Cipher.NONE.safe_body).encode())
            )

    def take(self) -> None:
        """One datagram of the router's."""
        datagram = self.socket.recv(2048)
        kind = datagram[0] & 0x0F
        if int.from_bytes(datagram[4:8], "big") != self._index:
            return  # of an earlier session
        if kind == Type.RETRY and self._sealer is None:
            stamp = time.time_ns() // 1000
            self._initiator = self._initiator.again(datagram, stamp, secrets.token_bytes)
            self.say()
        if kind == Type.HELLO_ACK and self._sealer is None:
            _, agreed = self._initiator.finish(datagram)
            self._sealer = CODEC.sealer(agreed.send_key, agreed.peer_index)
            self.say()
        self.up = self.up or kind == Type.PROBE_ACK

    def leave(self) -> None:
        """Say BYE, and forget the session."""
        assert self._sealer is not None
        self.socket.send(self._sealer.control(Type.BYE))
        self.begin()


class Crowd:
    """Endpoints of router_a."""

    def __init__(self, world: World, count: int, opened: ExitStack) -> None:
        world.ip("endpoint", "-6", "route", "add", "local", NETWORK, "dev", "lo")
        world.ip("router_a", "route", "add", NETWORK, "via", UNDERLAY6["router_a"][0])
        psk = decode_psk(world.psk)
        self.members = [Member(world, psk, number) for number in range(count)]
        for member in self.members:
            opened.callback(member.socket.close)

    def connect(self) -> None:
        """All at once, until the router has answered a PROBE of each."""
        waiting = {member.socket.fileno(): member for member in self.members}
        poller = select.poll()
        for fd in waiting:
            poller.register(fd, select.POLLIN)
        began, said = time.monotonic(), 0.0
        while waiting:
            now = time.monotonic()
            assert now - began < _GIVE_UP_S, f"{len(waiting)} endpoints are not up"
            if now - said > _AGAIN_S:
                said = now
                for member in waiting.values():
                    member.say()
            for fd, _ in poller.poll(100):
                waiting[fd].take()
                if waiting[fd].up:
                    poller.unregister(fd)
                    del waiting[fd]

    def leave(self) -> None:
        """All at once."""
        for member in self.members:
            member.leave()
