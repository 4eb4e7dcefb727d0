"""One tunnel of an endpoint: its socket, its session and the handshakes that renew it."""

from __future__ import annotations

import logging
import secrets
import time

from nrs.config.types import IPAddress
from nrs.endpoint.config import Router
from nrs.endpoint.damping import Damping
from nrs.endpoint.events import Evidence
from nrs.endpoint.failover import View
from nrs.endpoint.liveness import Action, Liveness, State, Timing
from nrs.endpoint.quality import Counts, Quality
from nrs.endpoint.resend import ResendRing
from nrs.system.addresses import Addresses
from nrs.system.descriptor_store import DescriptorStore
from nrs.tunnel import wire
from nrs.tunnel.codec.sealing import Check
from nrs.tunnel.engine import Control, Engine
from nrs.tunnel.figures import Drop
from nrs.tunnel.handshake import BadTag, HandshakeError, Initiator, StaticKey
from nrs.tunnel.session import Opening, Session, open_session, resume_session
from nrs.tunnel.session_memory import Record, Slot, key_print
from nrs.tunnel.udp_socket import UdpSocket
from nrs.tunnel.wire import Claim, KeyMode, ProbeAck, RouterFlag, Type

log = logging.getLogger(__name__)

REKEY_S = 3600.0
"""A session older than this is replaced by a new one, for forward secrecy."""
_REKEY_RETRY_S = 5.0
_PREVIOUS_S = 10.0
_UNANSWERED_HELLOS = 4
"""After this many an operator is told that the router does not answer."""
_ATTEMPT_S = 5.0
"""A HELLO is repeated as it is for this long, then made anew."""
_NO_SESSION_S = 1.0
"""A router that says it knows no session gets a HELLO, as often as this."""
_RECENT = 100_000
"""How far back a NO_SESSION may look: what was sent within a round trip."""
_LANE = 0


class Tunnel:
    """A tunnel to one routing server. Decides nothing: `Liveness`, `Quality` and `choose` do."""

    def __init__(
        self,
        router: Router,
        port: int,
        static: StaticKey,
        claim: Claim,
        timing: Timing,
        store: DescriptorStore,
    ) -> None:
        """`store` keeps the socket for a later process."""
        self.router = router
        self.liveness = Liveness(timing, time.monotonic())
        self.session: Session | None = None
        self.router_addresses: tuple[bytes, ...] = ()
        self.ring = ResendRing()
        self.state_since = time.time()
        self._store = store
        self._port = port
        self._static = static
        self._claim = claim
        self._socket: UdpSocket | None = None
        self._attempt: tuple[Initiator, float] | None = None
        self._previous: Session | None = None
        self._next_rekey = 0.0
        self._rekeyed = False
        self._unreachable: str | None = None
        self._hellos = 0
        self._damping = Damping()
        self._quality = Quality()
        self._flags = RouterFlag(0)
        self._flags_sequence = 0
        self._well_since: float | None = None
        self._failures = 0
        self._no_session_at = -_NO_SESSION_S

    def rekey(self, static: StaticKey) -> None:
        """Use another key: a new session at once, by `renew`, while the present one serves."""
        self._static = static
        self._attempt = None
        self._hellos = 0
        self._rekeyed = True
        self._next_rekey = 0.0

    @property
    def in_question(self) -> bool:
        """Whether it answers, but is bad enough to be asked often if it still is."""
        return self._quality.degraded or bool(self._flags)

    @property
    def flags(self) -> RouterFlag:
        """What the router has last said of itself."""
        return self._flags

    @property
    def router_id(self) -> str:
        """The routing server at the other end."""
        return self.router.router_id

    def connect(self, engine: Engine, addresses: Addresses) -> bool:
        """Open the socket from the tunnel's own address and uplink; False if that can't be yet.

        Called now and then: a socket whose address was the kernel's choice is replaced
        when that changes, and one of a silent tunnel when its address is at another
        interface, or at one made anew. The sessions go on.
        """
        before = self._socket
        remote = self.router.address
        local = self.router.bind_address
        device = None
        if local is not None and (before is None or self.liveness.state is not State.UP):
            device = addresses.interface_of(local)
        if before is not None and not before.has_moved(device):
            return True
        try:
            opened = self._open(str(local) if local is not None else _any(remote), device)
        except OSError as error:
            why = f"{error.strerror} (from {local or 'any address'} to {remote})"
            if why != self._unreachable:
                log.warning("tunnel to %s: %s", self.router_id, why)
            self._unreachable = why
            return False
        self._unreachable = None
        self._socket = opened
        engine.add_socket(opened)
        if before is not None:
            for session in (self.session, self._previous):
                if session is not None:
                    session.move(engine.codec, opened)
            engine.remove_socket(before)
            before.close()
            self.liveness.probe_now()
            log.info("tunnel to %s leaves from %s now", self.router_id, opened.local_address[0])
        return True

    def _open(self, local: str, device: str | None) -> UdpSocket:
        peer = (str(self.router.address), self._port)
        inherited = self._store.take(self._stored_as)
        if inherited is not None:
            adopted = UdpSocket.adopt(inherited, local, 0, peer=peer, device=device)
            if adopted is not None:
                return adopted
        opened = UdpSocket(local, 0, peer=peer, device=device)
        self._store.keep(self._stored_as, opened.fd)
        return opened

    def disconnect(self, engine: Engine) -> None:
        """Close the socket, which no session may use any more."""
        if self._socket is not None:
            engine.remove_socket(self._socket)
            self._socket.close()
            self._store.drop(self._stored_as)
            self._socket = None

    @property
    def _stored_as(self) -> str:
        return f"udp.{self.router_id}"

    def resume(self, slot: Slot, record: Record, engine: Engine, now: float) -> bool:
        """Go on with a session of an earlier process, the older ones first; whether it fits."""
        if (
            self._socket is None
            or record.claim != self._claim
            or record.key_print != key_print(self._static)
        ):
            return False
        session = resume_session(
            engine.codec, slot, record, self._static, Check.DESTINATION, self._socket, now
        )
        self.state_since = slot.progress.since
        self._take(session, record.addresses, engine, now)
        return True

    def enter(self, when: float) -> None:
        """Its state is another one since `when`, in seconds since 1970."""
        self.state_since = when
        if self.session is not None:
            self.session.note(since=when)

    def _take(
        self, session: Session, addresses: tuple[bytes, ...], engine: Engine, now: float
    ) -> None:
        """Use a session from now on; the one before it still receives for a moment."""
        if self._previous is not None:
            engine.remove_session(self._previous)
        self._previous = self.session
        self.session = session
        session.sent = self.ring
        session.note(since=self.state_since)
        self.ring.clear()
        self._quality.begin()
        self._flags, self._flags_sequence = RouterFlag(0), 0
        engine.add_session(session)
        self.router_addresses = addresses
        self.liveness.session_opened(now)

    def perform(self, action: Action, engine: Engine, active: bool) -> None:
        """Send what `Liveness.due` asked for."""
        if action is Action.PROBE and self.session is not None:
            now = time.monotonic_ns() // 1000
            engine.send_control(
                self.session,
                Type.PROBE,
                wire.encode_probe(now),
                flags=wire.ACTIVE if active else 0,
                specific=self.liveness.probe_number & 0xFFFFFFFF,
            )
        elif action is Action.HELLO:
            self._hello(engine)

    def _hello(self, engine: Engine) -> None:
        if self._socket is None:
            return
        now = time.monotonic()
        if self._attempt is None or now - self._attempt[1] > _ATTEMPT_S:
            index = secrets.randbits(32)
            while not index or index in engine.sessions:
                index = secrets.randbits(32)
            self._attempt = (
                Initiator(self._static, self._claim, index, secrets.token_bytes),
                now,
            )
        self._hellos += 1
        if self._hellos == _UNANSWERED_HELLOS:
            log.warning(
                "%s at %s port %d does not answer%s; still trying",
                self.router_id,
                self.router.address,
                self._port,
                f" a HELLO with {self._key}, the session in use stays" if self._renewing else "",
            )
        engine.send_raw(self._socket, self._attempt[0].hello(), None, None)

    def renew(self, engine: Engine, now: float) -> None:
        """Replace a session that is old, or of another key, while it still works.

        The one before it is forgotten after a moment.
        """
        age = now - self.session.created if self.session is not None else 0.0
        if self._previous is not None and age > _PREVIOUS_S:
            engine.remove_session(self._previous)
            self._previous = None
        if (self._rekeyed or age > REKEY_S) and now >= self._next_rekey:
            self._next_rekey = now + _REKEY_RETRY_S
            self._hello(engine)

    @property
    def _renewing(self) -> bool:
        return self.session is not None and self.liveness.state is State.UP

    @property
    def _key(self) -> str:
        mode = "its device key" if self._static.mode is KeyMode.DEVICE else "the PSK"
        return f"{mode} of epoch {self._static.key_id}"

    def hello_ack(self, datagram: bytes, engine: Engine, active: bool) -> Drop | None:
        """A HELLO_ACK on this tunnel's socket; opens the session that it offers."""
        if self._attempt is None or self._socket is None:
            return Drop.NO_SESSION
        initiator = self._attempt[0]
        try:
            ack, agreed = initiator.finish(datagram)
        except BadTag:
            return Drop.TAG
        except HandshakeError as error:
            log.debug("HELLO_ACK of %s: %s", self.router_id, error)
            return Drop.MALFORMED
        if ack.router_id != self.router_id:
            log.warning(
                "the router at %s says that it is %s, not %s as configured",
                self.router.address,
                ack.router_id,
                self.router_id,
            )
            return Drop.SOURCE
        self._attempt = None
        self._hellos = 0
        if self._rekeyed:
            log.info("tunnel to %s: new session with %s", self.router_id, self._key)
            self._rekeyed = False
        now = time.monotonic()
        addresses = (ack.tun_ipv4.packed, ack.tun_ipv6.packed)
        opening = Opening(
            agreed, self._static, self._claim, owner=self.router_id, addresses=addresses
        )
        session = open_session(
            engine.codec, engine.memory, opening, Check.DESTINATION, self._socket, now
        )
        self._take(session, addresses, engine, now)
        self._flags = ack.flags
        # The router switches to the new session with the first packet that it opens.
        for action in self.liveness.due(now, busy=True):
            self.perform(action, engine, active)
        return None

    def control(self, session: Session, control: Control, engine: Engine) -> None:
        """A verified control datagram of this tunnel."""
        now = time.monotonic()
        if control.kind is Type.PROBE_ACK:
            ack = ProbeAck.decode(control.body)
            rtt = max(0.0, now - ack.timestamp_us / 1e6)
            self.liveness.probe_answered(control.specific, rtt, now)
            self._take_flags(session, control, now)
            if session is self.session:
                self._acknowledged(session, ack, now)
        elif control.kind is Type.ROLE:
            self._take_flags(session, control, now)
        elif control.kind is Type.BYE and session is self.session:
            log.info("%s has closed its tunnel", self.router_id)
            self.drop_session(engine)

    def _take_flags(self, session: Session, control: Control, now: float) -> None:
        """What the router says of itself; what was overtaken on the way is left."""
        if session is not self.session or control.sequence <= self._flags_sequence:
            return
        self._flags_sequence = control.sequence
        before, self._flags = self._flags, RouterFlag(control.flags & _KNOWN_FLAGS)
        if self._flags & ~before & RouterFlag.RESTARTING:
            self.liveness.pauses(now)

    def _acknowledged(self, session: Session, ack: ProbeAck, now: float) -> None:
        if RouterFlag.EGRESS_DOWN not in self._flags:
            # What a router without a way on has received is as good as lost.
            self.ring.acknowledged(ack.highest, ack.confirmed, now)
        opener = session.opener
        counts = Counts(ack.highest, ack.received, opener.highest(_LANE), opener.received(_LANE))
        self._quality.observe(counts, self.liveness.srtt or 0.0, now)

    def unconfirmed(self, now: float) -> list[bytes]:
        """Take out what is to be sent again elsewhere, as the router does not answer or is useless.

        What it has received it has also forwarded, unless its way on is lost.
        """
        return self.ring.take(now, received=self._way_on_lost)

    @property
    def _way_on_lost(self) -> bool:
        """Whether the router says so; one that is drained has not failed."""
        flags = self._flags & (RouterFlag.EGRESS_DOWN | RouterFlag.DRAINING)
        return flags == RouterFlag.EGRESS_DOWN

    def no_session(self, datagram: bytes, engine: Engine, now: float) -> Drop | None:
        """The router, or who poses as it, knows no session of ours: say HELLO.

        The session stays until that is answered, since NO_SESSION proves nothing.
        """
        session = self.session
        if session is None or now - self._no_session_at < _NO_SESSION_S:
            return Drop.NO_SESSION
        _, _, _, _, index, sequence, _ = wire.HEADER.unpack_from(datagram)
        last = session.sealer.sequence
        if index != session.sealer.peer_index or not last - _RECENT < sequence <= last:
            return Drop.NO_SESSION
        self._no_session_at = now
        self._hello(engine)
        return None

    def note(self, now: float) -> None:
        """Take down since when the tunnel has been well, and whether it has failed."""
        live = self.liveness
        well = live.state is State.UP and not self._way_on_lost
        useless = live.state is State.UP and not well and self._well_since is not None
        if live.failures > self._failures or useless:
            self._damping.failed(now)
        self._failures = live.failures
        if not well:
            self._well_since = None
        elif self._well_since is None:
            self._well_since = now

    def view(self, now: float) -> View:
        """What is known of this tunnel, for `choose`."""
        return View(
            router_id=self.router_id,
            state=self.liveness.state,
            well_since=now if self._well_since is None else self._well_since,
            answered=self.liveness.last_answer,
            hold_s=self._damping.hold_s(now),
            srtt=self.liveness.srtt,
            degraded=self._quality.degraded,
            draining=RouterFlag.DRAINING in self._flags,
            restarting=RouterFlag.RESTARTING in self._flags,
            egress_up=RouterFlag.EGRESS_DOWN not in self._flags,
        )

    def evidence(self, view: View, now: float) -> Evidence:
        """What is known of this tunnel, for people."""
        live = self.liveness
        loss = self._quality.loss
        return Evidence(
            router_id=self.router_id,
            state=live.state.value,
            rtt_ms=self.rtt_ms,
            loss=None if loss is None else round(loss, 4),
            unanswered=live.unanswered,
            silent_ms=None if live.srtt is None else round((now - live.last_answer) * 1000, 1),
            draining=view.draining,
            egress_up=view.egress_up,
            held_down=now - view.well_since < view.hold_s,
        )

    def drop_session(self, engine: Engine) -> None:
        """Forget the sessions; handshakes begin at once."""
        for session in (self.session, self._previous):
            if session is not None:
                engine.remove_session(session)
        self.session = self._previous = None
        self.router_addresses = ()
        self._hellos = 0
        self.liveness.session_lost(time.monotonic())

    def close(self, engine: Engine) -> None:
        """Say BYE and release everything."""
        if self.session is not None and self._socket is not None:
            engine.send_control(self.session, Type.BYE)
        self.drop_session(engine)
        self.disconnect(engine)

    def holds(self, session: Session) -> bool:
        """Whether the session is this tunnel's."""
        return session is self.session or session is self._previous

    def uses(self, socket: UdpSocket) -> bool:
        """Whether the socket is this tunnel's."""
        return socket is self._socket

    @property
    def offloads(self) -> tuple[str, ...]:
        """What the kernel does for this tunnel's socket."""
        return () if self._socket is None else self._socket.offloads

    @property
    def rtt_ms(self) -> float | None:
        """The smoothed round trip in ms."""
        return None if self.liveness.srtt is None else round(self.liveness.srtt * 1000, 3)


_KNOWN_FLAGS = int(RouterFlag.DRAINING | RouterFlag.EGRESS_DOWN | RouterFlag.RESTARTING)


def _any(remote: IPAddress) -> str:
    return "::" if remote.version == 6 else "0.0.0.0"
