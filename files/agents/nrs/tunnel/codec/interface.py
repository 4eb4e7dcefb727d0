"""What a codec is: its classes, by whose results it is no different from the other one.

Family[CSealer, ...]  a codec as itself: mixing its objects with another's is a type error
Codec                 any one of them, for those who have one and do not care which
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from nrs.tunnel.codec.carrier import Frames, Inbox, Intake, Outbox, Path
from nrs.tunnel.codec.crypto import Crypto
from nrs.tunnel.codec.sealing import Check, Opener, Sealer
from nrs.tunnel.codec.sieve import Sieve
from nrs.tunnel.inner import Owned
from nrs.tunnel.udp_socket import SocketAddress, UdpSocket
from nrs.tunnel.wire import Cipher

Made_co = TypeVar("Made_co", covariant=True)
SealerT = TypeVar("SealerT", bound=Sealer)
OpenerT = TypeVar("OpenerT", bound=Opener)
PathT = TypeVar("PathT", bound=Path)
FramesT = TypeVar("FramesT", bound=Frames)
IntakeT = TypeVar("IntakeT", bound=Intake)


class MakeSealer(Protocol[Made_co]):
    """Makes the sealer of one lane; COUNTER_BYTES of memory."""

    def __call__(
        self,
        key: bytes,
        peer_index: int,
        key_id: int = 0,
        lane: int = 0,
        memory: memoryview | None = None,
        cipher: Cipher = Cipher.NONE,
    ) -> Made_co: ...


class MakeOpener(Protocol[Made_co]):
    """Makes the opener of a session; WINDOW_BYTES of memory a lane."""

    def __call__(
        self,
        key: bytes,
        index: int,
        owned: Owned,
        check: Check,
        lanes: int = 1,
        memory: memoryview | None = None,
        cipher: Cipher = Cipher.NONE,
    ) -> Made_co: ...


class MakePath(Protocol[Made_co]):
    """Makes a path; `peer` is None for a connected socket. PATH_BYTES of memory."""

    def __call__(
        self,
        socket: UdpSocket,
        peer: SocketAddress | None,
        local: bytes | None,
        memory: memoryview | None = None,
    ) -> Made_co: ...


class MakeInbox(Protocol[Made_co]):
    """Makes an inbox; `udp_offload` tells whether the TUN device takes USO.

    A router's `sieve` drops what strangers send to sessions.
    """

    def __call__(self, *, udp_offload: bool, sieve: Any = None) -> Made_co: ...


class Codec(Protocol):
    """A codec, whichever it is: what is made by one may be given to what was made by the same."""

    @property
    def name(self) -> str:
        """As in NRS_CODEC."""

    @property
    def crypto(self) -> Crypto: ...

    @property
    def sealer(self) -> MakeSealer[Sealer]: ...

    @property
    def opener(self) -> MakeOpener[Opener]: ...

    @property
    def path(self) -> MakePath[Path]: ...

    @property
    def frames(self) -> Callable[[], Frames]: ...

    @property
    def intake(self) -> Callable[[], Intake]: ...

    @property
    def outbox(self) -> Callable[[], Outbox[Any, Any, Any]]: ...

    @property
    def inbox(self) -> MakeInbox[Inbox[Any, Any, Any]]: ...

    @property
    def sieve(self) -> Callable[[], Sieve[Any]]: ...


@dataclass(frozen=True)
class Family(Generic[SealerT, OpenerT, PathT, FramesT, IntakeT]):
    """The classes of one codec."""

    name: str
    crypto: Crypto
    sealer: MakeSealer[SealerT]
    opener: MakeOpener[OpenerT]
    path: MakePath[PathT]
    frames: Callable[[], FramesT]
    intake: Callable[[], IntakeT]
    outbox: Callable[[], Outbox[SealerT, PathT, FramesT]]
    inbox: MakeInbox[Inbox[OpenerT, PathT, IntakeT]]
    sieve: Callable[[], Sieve[IntakeT]]
