"""What both codecs offer: the same classes, the same results.

Frames come from a TUN device in `Frames`, are sealed into an `Outbox` of datagrams and
sent along a `Path`; a train of datagrams is received in an `Intake` and opened into an
`Inbox` of frames, which are written to the TUN device. A frame is a virtio-net header
and a packet, or a whole TCP or UDP super-packet.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Protocol

from nrs.tunnel.inner import Owned
from nrs.tunnel.udp_socket import SocketAddress, UdpSocket
from nrs.tunnel.wire import Type

FRAMES_BYTES = 256 * 1024
OUTBOX_BYTES = 512 * 1024
INBOX_BYTES = 256 * 1024
INTAKE_BYTES = 70_000
LARGEST_FRAME = 65_546
MOST_FRAMES = 64
MOST_SENDS = 512
MOST_SEGMENTS = 64
"""Datagrams in one UDP_SEGMENT send (UDP_MAX_SEGMENTS of older kernels)."""
MOST_SEND_BYTES = 65_507
"""Payload of the largest UDP datagram over IPv4; what one UDP_SEGMENT send may hold."""
MOST_SLICES = 256
"""What a slice's one-byte index can number."""
COUNTER_BYTES = 8
"""Memory of a Sealer: the number of its last datagram, in host order."""
PATH_BYTES = 68
"""Memory of a Path: `PATH`, as the C codec's nrs_path."""
PATH = struct.Struct("=12xII28s20s")
"""Bytes of the peer's address and of our own, and these; the codec's own come first."""


class Check(IntEnum):
    """Which address of a packet out of a tunnel has to be the session's own."""

    SOURCE = 0
    DESTINATION = 1


class Reason(IntEnum):
    """Index of a drop count of `Opened`."""

    TAG = 1
    REPLAY = 2
    SOURCE = 3
    MALFORMED = 4


class Stop(IntEnum):
    """Why opening a train has stopped."""

    DONE = 0
    CONTROL = 1
    """An authentic control datagram, at `at`, `size` bytes."""
    FOREIGN = 2
    """A datagram of another session, or of the handshake, at `at`."""


class Send(NamedTuple):
    """Datagrams of an Outbox for one system call: `each` bytes, the last may be shorter."""

    offset: int
    length: int
    each: int
    ecn: int


@dataclass
class Sealed:
    """What an Outbox holds and how it came about."""

    next: int = 0
    """The first frame that did not fit."""
    used: int = 0
    datagrams: int = 0
    packets: int = 0
    bytes: int = 0
    batches: int = 0
    batched: int = 0
    malformed: int = 0


@dataclass
class Opened:
    """How far a train was opened and what it brought."""

    stop: Stop
    at: int
    size: int
    datagrams: int
    authentic: int
    newest: bool
    """Whether a datagram was the newest of its lane so far."""
    data: int
    packets: int
    bytes: int
    drops: tuple[int, int, int, int]
    """tag, replay, source, malformed"""


STOP_MASK = 3
"""Of what `Inbox.carry` returns: a `Stop`. The other bits:"""
AUTHENTIC = 4
"""At least one datagram was authentic."""
DATA = 8
"""At least one carried packets."""
BAD_TAG = 16
WAITING = 32
"""The Intake holds the next train already."""
DRAINED = 64
"""The socket has nothing more."""


@dataclass
class Totals:
    """What an Outbox or Inbox has carried since the start; packets and bytes are inner ones."""

    datagrams: int = 0
    packets: int = 0
    bytes: int = 0
    batches: int = 0
    batched: int = 0
    malformed: int = 0
    full: int = 0
    refused: int = 0
    """Frames that the device did not take."""
    tag: int = 0
    replay: int = 0
    source: int = 0


class Path(Protocol):
    """Where a session's datagrams go."""

    @property
    def peer(self) -> SocketAddress | None:
        """The other end; None for a connected socket."""

    @property
    def local(self) -> bytes | None:
        """The address of our own to send from, as IPV6_PKTINFO takes it."""


class Sealer(Protocol):
    """Seals what one lane of a session sends."""

    peer_index: int
    """The session's index at its receiver."""

    @property
    def sequence(self) -> int:
        """The number of the last datagram sealed."""

    def control(self, kind: Type, body: bytes = b"", *, flags: int = 0, specific: int = 0) -> bytes:
        """One control datagram."""


class Opener(Protocol):
    """Verifies and opens what one session receives."""

    def highest(self, lane: int) -> int:
        """The highest sequence number received on the lane."""

    def received(self, lane: int) -> int:
        """Datagrams received on the lane."""


class Frames(Protocol):
    """Frames read from a TUN device."""

    count: int

    def read(self, fd: int) -> bool:
        """Read until there are none or no room; whether more may be waiting. Raises OSError."""

    def load(self, frames: list[bytes]) -> None:
        """Hold these frames instead, as if read."""

    def copied_but_tcp(self, first: int, end: int) -> list[bytes]:
        """Frames [first, end) as they were read, those with TCP left out."""

    def flow(self, first: int) -> tuple[int, bytes, int]:
        """The end of the frames from `first` on that belong to one flow, its key and TCP flags.

        The key is what `inner.flow_key` gives; empty where no tunnel takes such a packet.
        """


class Outbox(Protocol):
    """Datagrams ready to be sent."""

    view: memoryview

    def clear(self) -> None:
        """Make it empty."""

    def seal(self, sealer: Sealer, frames: Frames, first: int, end: int) -> Sealed:
        """Append what frames [first, end) make, as far as there is room."""

    def sends(self) -> list[Send]:
        """What to send, in order."""

    def carry(self, sealer: Sealer, path: Path, frames: Frames, first: int, end: int) -> None:
        """Seal frames [first, end) and send what they make."""

    @property
    def totals(self) -> Totals:
        """What `carry` has sent."""


class Intake(Protocol):
    """Room for one train of datagrams."""

    index: int
    """The session index of the first datagram; 0 where it is too short."""
    length: int
    each: int
    """Bytes of each datagram but the last."""

    def receive(self, socket: UdpSocket) -> int:
        """1: a train was received; 0: nothing is there; -1: an error of an earlier datagram."""

    def index_at(self, start: int) -> int:
        """The session index of the datagram at byte `start`."""

    def datagram(self, start: int) -> memoryview:
        """The datagram at byte `start`."""

    @property
    def peer(self) -> SocketAddress:
        """Who sent the train."""

    @property
    def local(self) -> bytes | None:
        """The address of our own that it was sent to, as IPV6_PKTINFO takes it."""


class Inbox(Protocol):
    """Frames ready to be written to a TUN device."""

    def clear(self) -> None:
        """Make it empty."""

    def open(self, opener: Opener, train: memoryview, each: int, start: int, ecn: int) -> Opened:
        """Open the datagrams of a train from byte `start` on; frames are appended."""

    at: int
    """Where `carry` has stopped."""
    size: int
    """Bytes of the control datagram there."""

    def carry(
        self,
        opener: Opener,
        path: Path,
        socket: UdpSocket | None,
        intake: Intake,
        start: int,
        fd: int,
    ) -> int:
        """Open a train from byte `start` on and write its frames to the TUN device `fd`.

        The path follows the newest authentic datagram. The next trains of `socket`, where it
        is given, may be carried too, as long as they are the session's. The result is the
        last train's `Stop` and the bits AUTHENTIC, DATA, BAD_TAG, WAITING and DRAINED.
        """

    @property
    def totals(self) -> Totals:
        """What `carry` has delivered and dropped."""

    def frames(self) -> list[bytes]:
        """The frames, for tests."""


class Codec(Protocol):
    """A codec: its name and its classes.

    What an object is given `memory` for is kept there and nowhere else, for whoever maps the
    same memory after this process: both codecs write the same. Memory that is all zero is a
    session that has carried nothing yet. It has to stay mapped as long as the object is used.
    """

    name: str

    def sealer(
        self,
        key: bytes,
        peer_index: int,
        key_id: int = 0,
        lane: int = 0,
        memory: memoryview | None = None,
    ) -> Sealer:
        """The sealer of one lane; COUNTER_BYTES of memory."""

    def opener(
        self,
        key: bytes,
        index: int,
        owned: Owned,
        check: Check,
        lanes: int = 1,
        memory: memoryview | None = None,
    ) -> Opener:
        """The opener of a session; WINDOW_BYTES of memory a lane."""

    def path(
        self,
        socket: UdpSocket,
        peer: SocketAddress | None,
        local: bytes | None,
        memory: memoryview | None = None,
    ) -> Path:
        """A path; `peer` is None for a connected socket. PATH_BYTES of memory."""

    def intake(self) -> Intake:
        """Room for a train."""

    def frames(self) -> Frames:
        """Room for frames out of a TUN device."""

    def outbox(self) -> Outbox:
        """Room for datagrams."""

    def inbox(self, *, udp_offload: bool) -> Inbox:
        """Room for frames into a TUN device; `udp_offload` tells whether it takes USO."""
