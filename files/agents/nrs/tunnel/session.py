"""One session: its two directions, where the peer is, and what it has carried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from nrs.tunnel.codec.interface import Check, Codec, Opener, Path, Sealer
from nrs.tunnel.handshake import SessionSecrets, StaticKey
from nrs.tunnel.inner import Owned
from nrs.tunnel.udp_socket import SocketAddress, UdpSocket


class SentFrames(Protocol):
    """Keeps what a session sends until it is known to have arrived."""

    def keep(self, sequence: int, frames: list[bytes], now: float) -> None:
        """`frames` have left in datagrams up to number `sequence`."""


@dataclass(eq=False, slots=True)
class Session:
    """State shared by the packet path and the agent that owns the session."""

    local_index: int
    sealer: Sealer
    opener: Opener
    owned: Owned
    socket: UdpSocket
    created: float
    path: Path
    """Follows the newest authenticated datagram, where the socket is not connected."""
    confirmed: bool = False
    """Whether the peer has proved that it holds the session's keys."""
    opened_with: StaticKey | None = None
    """The configured key of this end that opened it; a router's is the PSK or master key."""
    last_received: float = 0.0
    last_data_received: float = -1e9
    last_data_sent: float = -1e9
    sent: SentFrames | None = None

    def move(self, codec: Codec, socket: UdpSocket) -> None:
        """Go on through `socket`, which is connected to the peer."""
        self.socket = socket
        self.path = codec.path(socket, None, None)


def key_of(session: Session | None) -> dict[str, object]:
    """For status: the mode and epoch of the key that opened `session`, if there is one."""
    if session is None or session.opened_with is None:
        return {"key_mode": None, "key_epoch": None}
    key = session.opened_with
    return {"key_mode": key.mode.name.lower(), "key_epoch": key.key_id}


def open_session(
    codec: Codec,
    secrets: SessionSecrets,
    owned: Owned,
    check: Check,
    socket: UdpSocket,
    now: float,
    *,
    peer: SocketAddress | None = None,
    local: bytes | None = None,
) -> Session:
    """The session that a handshake has agreed on; `check` holds its packets against `owned`."""
    return Session(
        local_index=secrets.local_index,
        sealer=codec.sealer(secrets.send_key, secrets.peer_index, secrets.key_id),
        opener=codec.opener(secrets.receive_key, secrets.local_index, owned, check),
        owned=owned,
        socket=socket,
        created=now,
        path=codec.path(socket, peer, local),
        last_received=now,
    )
