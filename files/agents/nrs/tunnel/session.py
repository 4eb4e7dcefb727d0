"""One session: its two directions, where the peer is, and what it has carried."""

from __future__ import annotations

from dataclasses import dataclass

from nrs.tunnel import wire
from nrs.tunnel.codec.carrier import Candidate, Path
from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.codec.sealing import Check, Opener, Sealer
from nrs.tunnel.handshake import StaticKey
from nrs.tunnel.inner import Owned
from nrs.tunnel.orders import SentFrames
from nrs.tunnel.record import Progress, Record
from nrs.tunnel.session_memory import SessionMemory, Slot
from nrs.tunnel.udp_socket import SocketAddress, UdpSocket
from nrs.tunnel.wire import Cipher


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
    """Of which a candidate follows the newest authentic datagram, if `socket` is not connected."""
    confirmed: bool = False
    """Whether the peer has proved that it holds the session's keys."""
    opened_with: StaticKey | None = None
    """The configured key of this end that opened it; a router's is the PSK or master key."""
    last_received: float = 0.0
    last_data_received: float = -1e9
    last_data_sent: float = -1e9
    sent: SentFrames | None = None
    cipher: Cipher = Cipher.NONE
    longest: int = wire.SAFE_DATAGRAM
    """Bytes of the longest datagram that it sends."""
    together: bool = True
    """Whether it sends trains."""
    slot: Slot | None = None
    """Where it outlives the process."""
    wary: bool = False
    """Whether the last candidate for its path has failed: the next gets challenges only."""

    @property
    def peer(self) -> SocketAddress | None:
        """Where the other end is, as far as is known, unless its socket is connected."""
        candidate = self.path.candidate
        return candidate.peer if self.path.peer is None and candidate else self.path.peer

    def way(self, size: int, *, challenge: bool = False) -> Path | None:
        """Where a control datagram of `size` bytes goes, which is taken off what may go there."""
        candidate = self.path.candidate
        if candidate is None:
            return None if challenge else self.path
        if size <= candidate.left and (challenge or not candidate.challenges_only):
            candidate.left -= size
            return candidate
        return None if challenge or self.path.peer is None else self.path

    def consider(
        self, socket: UdpSocket, peer: SocketAddress | None, local: bytes | None
    ) -> Candidate | None:
        """Have a candidate for its path, in place of another one."""
        self.path.consider(socket, peer, local)
        candidate = self.path.candidate
        if candidate is not None:
            candidate.challenges_only = self.wary and self.path.peer is not None
        return candidate

    def take_candidate(self, codec: Codec) -> None:
        """The peer has proved to be there."""
        candidate, self.wary = self.path.candidate, False
        if candidate is not None:
            self.move(codec, candidate.socket, candidate.peer, candidate.local)

    def drop_candidate(self) -> None:
        """The peer has not; what comes from there next makes it one again."""
        self.wary = True
        if self.path.peer is None:
            self.path.consider(self.socket, None, None)
        else:
            self.path.dismiss()

    def doubt(self, codec: Codec) -> None:
        """Nothing is known of where its peer is."""
        self.move(codec, self.socket)
        self.path.consider(self.socket, None, None)

    def move(
        self,
        codec: Codec,
        socket: UdpSocket,
        peer: SocketAddress | None = None,
        local: bytes | None = None,
    ) -> None:
        """Go on through `socket`, to `peer` where it is not connected to that."""
        self.socket = socket
        self.path = codec.path(socket, peer, local, self.slot.path if self.slot else None)
        self.path.send_together(allowed=self.together)
        if self.slot is not None:
            self.slot.port = socket.port

    def limit(self, longest: int, *, settled: bool) -> None:
        """Send datagrams of at most `longest` bytes from now on; see `Sealer.limit`."""
        self.longest = min(max(longest, wire.LEAST_DATAGRAM), wire.LONGEST_DATAGRAM)
        self.sealer.limit(self.body, settled=settled)

    @property
    def body(self) -> int:
        """Bytes of packets in its longest datagram."""
        return self.longest - self.cipher.overhead

    @property
    def path_mtu(self) -> int:
        """The longest datagram as an IP packet on the way, in bytes."""
        headers = wire.HEADERS4 if self.socket.sends_ipv4(self.peer) else wire.HEADERS6
        return self.longest + headers

    def send_together(self, *, allowed: bool) -> None:
        """Send trains from now on, or each datagram by itself."""
        self.together = allowed
        self.path.send_together(allowed=allowed)

    def note(self, *, active: bool = False, since: float = 0.0) -> None:
        """Take down for a later process how far it has come."""
        if self.slot is not None:
            self.slot.note(Progress(self.confirmed, active, since))

    def forget(self) -> None:
        """No process is to go on with it."""
        if self.slot is not None:
            slot, self.slot = self.slot, None
            slot.release()


def protection_of(session: Session | None) -> dict[str, object]:
    """For status: cipher of `session`, mode and epoch of the key that opened it, if any."""
    if session is None or session.opened_with is None:
        return {"key_mode": None, "key_epoch": None, "cipher": None}
    key = session.opened_with
    return {
        "key_mode": key.mode.name.lower(),
        "key_epoch": key.key_id,
        "cipher": session.cipher.text,
    }


def open_session(
    codec: Codec,
    memory: SessionMemory | None,
    record: Record,
    key: StaticKey,
    check: Check,
    socket: UdpSocket,
    *,
    peer: SocketAddress | None = None,
    local: bytes | None = None,
) -> Session:
    """A new session; `check` holds its packets against the addresses of the claim."""
    slot = None if memory is None else memory.allocate(record)
    return _session(codec, record, slot, key, check, socket, record.created, (peer, local))


def resume_session(
    codec: Codec,
    slot: Slot,
    record: Record,
    key: StaticKey,
    check: Check,
    socket: UdpSocket,
    now: float,
) -> Session:
    """Go on with a session of an earlier process, through a socket of the same kind."""
    session = _session(codec, record, slot, key, check, socket, now, slot.peer)
    session.confirmed = slot.progress.confirmed
    return session


def _session(
    codec: Codec,
    record: Record,
    slot: Slot | None,
    key: StaticKey,
    check: Check,
    socket: UdpSocket,
    now: float,
    where: tuple[SocketAddress | None, bytes | None],
) -> Session:
    s, claim = record.secrets, record.claim
    owned = Owned([address.packed for address in claim.addresses], claim.prefixes)
    counter, window, path = (slot.counter, slot.window, slot.path) if slot else (None, None, None)
    if slot is not None:
        slot.port = socket.port
    return Session(
        local_index=s.local_index,
        sealer=codec.sealer(s.send_key, s.peer_index, s.key_id, memory=counter, cipher=s.cipher),
        opener=codec.opener(
            s.receive_key, s.local_index, owned, check, memory=window, cipher=s.cipher
        ),
        owned=owned,
        socket=socket,
        created=record.created,
        path=codec.path(socket, *where, memory=path),
        opened_with=key,
        last_received=now,
        cipher=s.cipher,
        slot=slot,
    )
