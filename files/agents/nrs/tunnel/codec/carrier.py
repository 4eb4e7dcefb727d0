"""The system calls around sealing and opening, each for many packets at once.

Frames come from a TUN device in `Frames`, are sealed into an `Outbox` of datagrams and
sent along a `Path`; a train of datagrams is received in an `Intake` and opened into an
`Inbox` of frames, which are written to the TUN device. A frame is a virtio-net header
and a packet, or a whole TCP or UDP super-packet.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, TypeVar

from nrs.tunnel.codec.sealing import Opener, Sealer
from nrs.tunnel.udp_socket import SocketAddress, UdpSocket

FRAMES_BYTES = 256 * 1024
OUTBOX_BYTES = 512 * 1024
INTAKE_BYTES = 70_000
MOST_FRAMES = 64
MOST_SEGMENTS = 64
"""Datagrams in one UDP_SEGMENT send (UDP_MAX_SEGMENTS of older kernels)."""
MOST_SEND_BYTES = 65_507
"""Payload of the largest UDP datagram over IPv4; what one UDP_SEGMENT send may hold."""
PATH_BYTES = 68
"""Memory of a Path: `PATH`, as the C codec's nrs_path."""
PATH = struct.Struct("=12xII28s20s")
"""Bytes of the peer's address and of our own, and these; the codec's own come first."""


class Stop(IntEnum):
    """Why opening a train has stopped."""

    DONE = 0
    CONTROL = 1
    """An authentic control datagram, at `at`, `size` bytes."""
    FOREIGN = 2
    """A datagram of another session, or of the handshake, at `at`."""


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
ELSEWHERE = 128
"""The train that was opened last is the newest, and came from elsewhere than the path leads to."""


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
    """Where a session's datagrams go; it was validated, or is that of a connected socket."""

    @property
    def socket(self) -> UdpSocket:
        """To send through."""

    @property
    def peer(self) -> SocketAddress | None:
        """The other end; None for a connected socket."""

    @property
    def local(self) -> bytes | None:
        """The address of our own to send from, as IP_PKTINFO or IPV6_PKTINFO takes it."""

    def send_together(self, *, allowed: bool) -> None:
        """Send trains, where the kernel can, or each datagram by itself."""

    @property
    def candidate(self) -> Candidate | None:
        """What is to take its place, if the peer is there."""

    def consider(self, socket: UdpSocket, peer: SocketAddress | None, local: bytes | None) -> None:
        """Have a candidate, in place of another one; None for no peer at all."""

    def dismiss(self) -> None:
        """Have none."""


class Candidate(Path, Protocol):
    """Where the newest authentic datagram came from, until the peer has proved to be there."""

    left: int
    """Bytes that may still go there; what is more goes along the path that has the candidate."""
    challenges_only: bool
    """Whether the peer is known to send from that path still: of what is sent there are none."""


class Frames(Protocol):
    """Frames read from a TUN device."""

    count: int

    def read(self, fd: int) -> bool:
        """Read until there are none or no room; whether more may be waiting. Raises OSError."""

    def load(self, frames: list[bytes]) -> None:
        """Hold these frames instead, as if read."""

    def copied_but_tcp(self, first: int, end: int) -> list[bytes]:
        """Frames [first, end) as they were read, those with TCP left out."""

    def packet(self, index: int) -> bytes:
        """The packet of frame `index`, copied."""

    def flow(self, first: int) -> tuple[int, bytes, int]:
        """The end of the frames from `first` on that belong to one flow, its key and TCP flags.

        The key is what `inner.flow_key` gives; empty where no tunnel takes such a packet.
        """


class Intake(Protocol):
    """Room for one train of datagrams."""

    @property
    def index(self) -> int:
        """The session index of the first datagram; 0 where it is too short."""

    @property
    def length(self) -> int:
        """Bytes of the train."""

    @property
    def each(self) -> int:
        """Bytes of each datagram but the last."""

    @property
    def start(self) -> int:
        """Where opening it has begun last."""

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
        """The address of our own that it was sent to, as IP_PKTINFO or IPV6_PKTINFO takes it."""


Sealer_contra = TypeVar("Sealer_contra", bound=Sealer, contravariant=True)
Opener_contra = TypeVar("Opener_contra", bound=Opener, contravariant=True)
Path_contra = TypeVar("Path_contra", bound=Path, contravariant=True)
Frames_contra = TypeVar("Frames_contra", bound=Frames, contravariant=True)
Intake_contra = TypeVar("Intake_contra", bound=Intake, contravariant=True)


class Outbox(Protocol[Sealer_contra, Path_contra, Frames_contra]):
    """Room for datagrams that are sent; it takes objects of its own codec only."""

    def carry(
        self, sealer: Sealer_contra, path: Path_contra, frames: Frames_contra, first: int, end: int
    ) -> int:
        """Seal frames [first, end) and send what they make, what may go there to the candidate.

        Bit n of the result: frame n is too long for the path, and its sender is to be told.
        """

    @property
    def totals(self) -> Totals:
        """What `carry` has sent."""


class Inbox(Protocol[Opener_contra, Path_contra, Intake_contra]):
    """Room for frames that are written to a TUN device; it takes objects of its own codec only."""

    @property
    def at(self) -> int:
        """Where `carry` has stopped."""

    @property
    def size(self) -> int:
        """Bytes of the control datagram there."""

    def carry(
        self,
        opener: Opener_contra,
        path: Path_contra,
        socket: UdpSocket | None,
        intake: Intake_contra,
        start: int,
        fd: int,
    ) -> int:
        """Open a train from byte `start` on and write its frames to the TUN device `fd`.

        The next trains of `socket`, where it is given, may be carried too, as long as they are
        the session's, and up to one that is newest and from ELSEWHERE. The result is the
        last train's `Stop` and the bits AUTHENTIC, DATA, BAD_TAG, WAITING, DRAINED and ELSEWHERE.
        """

    def age(self) -> None:
        """Forget packets that had arrived in part before the last call: call it once a second."""

    @property
    def totals(self) -> Totals:
        """What `carry` has delivered and dropped."""
