"""Many endpoints in one process; `bin/bench sessions` runs it with the agents' interpreter.

It obeys words on its standard input and answers each with a line of JSON:

    prepare   makes key pairs and HELLOs
    connect   opens all sessions, each confirmed by a PROBE and its answer
    seal      seals one pass of trains, spread over the sessions
    send      sends them, as fast as the router takes them
"""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import itertools
import json
import secrets
import select
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from _nrs_codec import ffi, lib
from nrs.config.secret import decode_psk
from nrs.tunnel import wire
from nrs.tunnel.codec import c
from nrs.tunnel.codec.c.crypto import CCrypto
from nrs.tunnel.codec.carrier import OUTBOX_BYTES
from nrs.tunnel.handshake import HandshakeError, Initiator, StaticKey
from nrs.tunnel.keys import TagKey
from nrs.tunnel.wire import Claim, Type

from bench.downstream import FIRST as FIRST_INNER
from bench.downstream import PAYLOAD

PORT = 51820
_FIRST_OUTER = ipaddress.IPv4Address("198.18.1.0")
_FIRST_INNER6 = ipaddress.IPv6Address("fd00:100::1:0")
_BEYOND = ipaddress.IPv4Address("198.51.100.2")
_UNDER_WAY = 256
_REPEAT_S = 1.0
_GIVE_UP_S = 60.0
_LEAST_TRAINS = 8000
_TRAINS_A_PROBE = 64
_PROBES_UNANSWERED = 6
"""A window of 384 trains: 9 MB of 26 that the router's socket holds."""
_IP_PKTINFO = 8
_UDP_SEGMENT = 103
_UDP_GRO = 104
_SEND_BUFFER = 16 << 20
_RECEIVE_BUFFER = 1 << 20
_SO_SNDBUFFORCE = 32
_SO_RCVBUFFORCE = 33
_HEAD = struct.Struct("!BBHHHBBH4s4sHHHH")
_VNET = struct.Struct("=BBHHHH")
_GSO_UDP, _NEEDS_CHECKSUM = 5, 1


class ClientError(Exception):
    """The router does not do its part."""


def _stamp() -> int:
    return time.time_ns() // 1000


@dataclass
class Endpoint:
    """One of the many."""

    claim: Claim
    source: bytes
    """The ancillary data that makes it the sender of a datagram."""
    initiator: Initiator
    hello: bytes
    sealer: Any = None
    receive: TagKey | None = None
    sent: float = 0.0
    """When its HELLO or PROBE was last sent."""
    up: bool = False


class _Sealed(NamedTuple):
    """A train, and for some the PROBE that follows it: sealed after it, so not ahead of others."""

    endpoint: Endpoint
    train: bytes
    probe: bytes | None


class Client:
    """All endpoints over one socket."""

    def __init__(self, psk: bytes, router: str, sessions: int, train: int) -> None:
        self._static = StaticKey(psk)
        self._router = (router, PORT)
        self._count = sessions
        self._train = train
        self._codec = c.family(CCrypto())
        self._endpoints: list[Endpoint] = []
        self._sealed: list[_Sealed] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BUFFER)
        # Room for the answers of all handshakes under way, not for what comes downstream.
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        # A train that comes to it is dropped whole; cut up first it would cost the router more.
        self._socket.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)
        self._socket.bind(("0.0.0.0", 0))  # noqa: S104 - an address of each endpoint
        self._socket.setblocking(False)

    def prepare(self) -> dict[str, float]:
        """Key pairs and HELLOs; an endpoint's session index is its number, from 1."""
        for number in range(self._count):
            claim = Claim(f"endpoint_{number}", FIRST_INNER + number, _FIRST_INNER6 + number)
            source = struct.pack("=i4s4x", 0, (_FIRST_OUTER + number).packed)
            initiator = Initiator(self._static, claim, number + 1, secrets.token_bytes, _stamp())
            self._endpoints.append(Endpoint(claim, source, initiator, initiator.hello()))
        return {}

    def connect(self) -> dict[str, float]:
        """Open all sessions. Raises ClientError."""
        began, used = time.monotonic(), time.process_time()
        waiting = deque(self._endpoints)
        under_way: dict[int, Endpoint] = {}
        up = repeated = 0
        looked = began
        while up < self._count:
            while waiting and len(under_way) < _UNDER_WAY:
                endpoint = waiting.popleft()
                under_way[id(endpoint)] = endpoint
                self._say(endpoint)
            for endpoint in self._answers(0.05):
                if endpoint.up:
                    up += under_way.pop(id(endpoint), None) is not None
            now = time.monotonic()
            if now - began > _GIVE_UP_S:
                raise ClientError(f"only {up} sessions after {_GIVE_UP_S:.0f} s")
            if now - looked > _REPEAT_S / 4:
                looked = now
                for endpoint in under_way.values():
                    if now - endpoint.sent > _REPEAT_S:
                        repeated += 1
                        self._say(endpoint)
        seconds = time.monotonic() - began
        return {
            "seconds": seconds,
            "cpu_seconds": time.process_time() - used,
            "repeated": repeated,
        }

    def _say(self, endpoint: Endpoint) -> None:
        """What takes its handshake on: the HELLO, or where that is answered a PROBE."""
        endpoint.sent = time.monotonic()
        if endpoint.sealer is None:
            self._send(endpoint, endpoint.hello)
        else:
            self._send(endpoint, self._probe(endpoint))

    @staticmethod
    def _probe(endpoint: Endpoint) -> bytes:
        now_us = time.monotonic_ns() // 1000
        body = wire.Probe(now_us, wire.OVERHEAD + wire.INNER_MTU).encode()
        return bytes(endpoint.sealer.control(Type.PROBE, body, flags=wire.SETTLED))

    def _answers(self, patience: float) -> Iterator[Endpoint]:
        """Deal with what has arrived; the endpoints that it was for."""
        for datagram in self._arrived(patience):
            kind = datagram[0] & 0x0F
            index = int.from_bytes(datagram[4:8], "big") - 1
            if not 0 <= index < self._count:
                continue
            endpoint = self._endpoints[index]
            if kind == Type.RETRY and endpoint.sealer is None:
                with contextlib.suppress(HandshakeError):  # of a HELLO before the last one
                    initiator = endpoint.initiator
                    endpoint.initiator = initiator.again(datagram, _stamp(), secrets.token_bytes)
                    endpoint.hello = endpoint.initiator.hello()
                    self._say(endpoint)
            if kind == Type.HELLO_ACK and endpoint.sealer is None:
                _, agreed = endpoint.initiator.finish(datagram)
                endpoint.sealer = self._codec.sealer(agreed.send_key, agreed.peer_index)
                endpoint.sealer.limit(wire.INNER_MTU, settled=True)
                endpoint.receive = TagKey(agreed.receive_key)
                self._say(endpoint)
            elif kind == Type.PROBE_ACK and self._authentic(endpoint, datagram):
                endpoint.up = True
                yield endpoint

    @staticmethod
    def _authentic(endpoint: Endpoint, datagram: bytes) -> bool:
        return endpoint.receive is not None and endpoint.receive.verify(
            datagram[-wire.TAG_BYTES :], datagram[: -wire.TAG_BYTES]
        )

    def _arrived(self, patience: float) -> Iterator[bytes]:
        """At least one datagram, or none after `patience` seconds."""
        select.select([self._socket], [], [], patience)
        for _ in range(_UNDER_WAY):
            try:
                yield self._socket.recv(2048)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue

    def seal(self) -> dict[str, float]:
        """A pass of trains, at least one for each session."""
        passes = max(1, -(-_LEAST_TRAINS // self._count))
        frames, room = self._codec.frames(), bytearray(OUTBOX_BYTES)
        sealed = ffi.new("nrs_sealed *")
        self._sealed = []
        trains = passes * self._count
        for number, endpoint in enumerate(
            itertools.islice(itertools.cycle(self._endpoints), trains), 1
        ):
            frames.load([self._frame(endpoint)])
            sealed.count = sealed.used = 0
            where = (frames.arena, frames.handle, 0, 1, ffi.from_buffer(room), len(room))
            lib.nrs_seal(endpoint.sealer.handle, *where, sealed)
            if sealed.count != 1:
                raise ClientError("a train does not fit into one send")
            train = bytes(room[: sealed.used])
            asks = number % _TRAINS_A_PROBE == 0 or number == trains
            self._sealed.append(_Sealed(endpoint, train, self._probe(endpoint) if asks else None))
        return {"bytes": len(self._sealed) * (28 + self._train * PAYLOAD)}

    def _frame(self, endpoint: Endpoint) -> bytes:
        """A UDP super-packet as a TUN device hands it over."""
        payload = bytes(self._train * PAYLOAD)
        head = _HEAD.pack(
            *(0x45, 0, 28 + len(payload), 0, 0x4000, 64, socket.IPPROTO_UDP, 0),
            *(endpoint.claim.addresses[0].packed, _BEYOND.packed),
            *(4000, 9, 8 + len(payload), 0),
        )
        return _VNET.pack(_NEEDS_CHECKSUM, _GSO_UDP, 28, PAYLOAD, 20, 6) + head + payload

    def send(self) -> dict[str, float]:
        """Send the pass; ends when the router has answered the last PROBE. Raises ClientError."""
        for _ in self._arrived(0):
            pass  # what the last trains down have left
        each = struct.pack("=H", wire.OVERHEAD + wire.INNER_MTU)
        segment = (socket.IPPROTO_UDP, _UDP_SEGMENT, each)
        unanswered: deque[Endpoint] = deque()
        began = time.monotonic()
        for endpoint, train, probe in self._sealed:
            self._send(endpoint, train, segment)
            if probe is not None:
                self._send(endpoint, probe)
                unanswered.append(endpoint)
                if len(unanswered) > _PROBES_UNANSWERED:
                    self._wait(unanswered, _PROBES_UNANSWERED)
        self._wait(unanswered, 0)
        return {"seconds": time.monotonic() - began}

    def _wait(self, unanswered: deque[Endpoint], most: int) -> None:
        deadline = time.monotonic() + 5
        while len(unanswered) > most:
            for endpoint in self._answers(0.05):
                if unanswered and endpoint is unanswered[0]:
                    unanswered.popleft()
            if time.monotonic() > deadline:
                raise ClientError("a PROBE behind trains is not answered")

    def _send(self, endpoint: Endpoint, data: bytes, *more: tuple[int, int, bytes]) -> None:
        source = (socket.IPPROTO_IP, _IP_PKTINFO, endpoint.source)
        while True:
            try:
                self._socket.sendmsg([data], [source, *more], 0, self._router)
            except BlockingIOError:
                select.select([], [self._socket], [], 1)
            except ConnectionRefusedError:
                continue  # an ICMP error of something earlier
            else:
                return


def main() -> int:
    """Obey until the end of standard input."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--psk-file", type=Path, required=True)
    parser.add_argument("--router", required=True)
    parser.add_argument("--sessions", type=int, required=True)
    parser.add_argument("--train", type=int, required=True)
    options = parser.parse_args()
    psk = decode_psk(options.psk_file.read_text(encoding="ascii"))
    client = Client(psk, options.router, options.sessions, options.train)
    words = {
        "prepare": client.prepare,
        "connect": client.connect,
        "seal": client.seal,
        "send": client.send,
    }
    for line in sys.stdin:
        try:
            answer = words[line.strip()]()
        except ClientError as error:
            print(error, file=sys.stderr)
            return 1
        print(json.dumps(answer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
