"""One tunnel of an endpoint: its session, the handshakes that renew it, what its router says. Pure.

How the tunnel fares is judged by `Liveness`, `Quality` and `Damping`; here they meet.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from nrs.config.types import text_of
from nrs.endpoint.carrying import Carrying
from nrs.endpoint.config import NetworkAccessEndpointConfig, Router
from nrs.endpoint.damping import Damping
from nrs.endpoint.events import Evidence
from nrs.endpoint.failover import View
from nrs.endpoint.liveness import Action, Liveness, State, Timing
from nrs.endpoint.orders import Order, SendHello
from nrs.endpoint.quality import THRESHOLDS, Measure, Quality
from nrs.endpoint.resend import ResendRing
from nrs.identity.revoked_tunnels import RevokedTunnels
from nrs.tunnel import wire
from nrs.tunnel.address_text import name_ports
from nrs.tunnel.control import Control
from nrs.tunnel.drop import Drop
from nrs.tunnel.handshake import (
    BadTag,
    CipherRefused,
    ClaimRefused,
    HandshakeError,
    Initiator,
    StaticKey,
)
from nrs.tunnel.orders import (
    CloseSession,
    NoteSession,
    OpenSession,
    Refuse,
    SendControl,
    Tell,
)
from nrs.tunnel.record import Record, key_print
from nrs.tunnel.wire import (
    Cipher,
    Claim,
    KeyMode,
    Objection,
    Probe,
    ProbeAck,
    RouterFlag,
    Type,
)

REKEY_S = 3600.0
"""A session older than this is replaced by a new one, for forward secrecy."""
REKEY_DATAGRAMS = 1 << 29
"""So is one that has carried so many, either way."""
EARLY_S = 360.0
"""Endpoints whose sessions began together renew them apart: each up to this earlier."""
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
_KNOWN_FLAGS = int(RouterFlag.DRAINING | RouterFlag.EGRESS_DOWN | RouterFlag.RESTARTING)
_LONG_AGO = -1e9
_WHY = {
    Objection.OUTSIDE: "it is not among what endpoints may have there (tunnel.endpoint_networks,"
    " tunnel.endpoint_prefixes)",
    Objection.TAKEN: "it is or holds the router's own, or what its host reaches without a tunnel",
    Objection.ANOTHERS: "another endpoint has it or a part of it",
}
_REVOKED_HERE = (
    "this endpoint's key is revoked there: give it one of a later generation, or of the present"
    " key epoch"
)


@dataclass(frozen=True)
class Settings:
    """What a tunnel goes by beside its router's entry."""

    port: int
    key: StaticKey
    claim: Claim
    timing: Timing
    cipher: Cipher = Cipher.NONE

    @classmethod
    def of(cls, config: NetworkAccessEndpointConfig, router_id: str) -> Settings:
        """As the configuration has them for the tunnel to a router that it names."""
        tunnel = config.tunnel
        mode = KeyMode.DEVICE if tunnel.has_device_key else KeyMode.SHARED
        keepalive = tunnel.keepalive_interval
        key = tunnel.key_for(router_id)
        assert key is not None, "the configuration has been checked"
        return cls(
            tunnel.port,
            StaticKey(key, mode, tunnel.key_epoch),
            Claim(
                config.endpoint.endpoint_id,
                tunnel.tun_ipv4 and tunnel.tun_ipv4.ip,
                tunnel.tun_ipv6 and tunnel.tun_ipv6.ip,
                wire.in_order(tunnel.advertise),
                tunnel.generation,
            ),
            Timing(keepalive=keepalive, dead=3 * keepalive),
            Cipher.named(tunnel.cipher),
        )


class Tunnel:
    """A tunnel to one routing server; `now` is in seconds of one steady clock."""

    def __init__(
        self,
        router: Router,
        settings: Settings,
        now: float,
        since: float,
        random: Callable[[int], bytes],
        new_index: Callable[[], int],
        wall: Callable[[], float],
        others: Callable[[str, float], Iterable[Measure]],
    ) -> None:
        """`since` and `wall` are Unix time; `new_index` is a session index not in use.

        `others` tells what is known of the tunnels that one of this router is held against.
        """
        self.router = router
        self.router_id = router.router_id
        self.liveness = Liveness(settings.timing, now)
        self.carrying = Carrying(router.router_id, self.liveness.probe_now)
        self.index = 0
        """The local index of its session; 0: there is none."""
        self.previous = 0
        """That of the session before, which still receives for a moment."""
        self.session: Record | None = None
        self.ring = ResendRing()
        self.state_since = since
        self.connected = False
        """Whether there is a socket to send from."""
        self.data_sent = self.data_received = _LONG_AGO
        self.flags = RouterFlag(0)
        """What the router has last said of itself."""
        self.refusal: str | None = None
        """Why the router gives it no session, as a sentence."""
        self.revoked: str | None = None
        self._list = RevokedTunnels()
        """Why it is to have none, as a sentence."""
        self._settings = settings
        self._random = random
        self._new_index = new_index
        self._wall = wall
        self._stamp = 0
        self._others = others
        self._attempt: tuple[Initiator, float] | None = None
        self._answer = b""
        """The HELLO_ACK that was accepted last."""
        self._next_rekey = 0.0
        self._rekeyed = False
        self._carried = 0
        """Datagrams of its session, the greater number of both ways."""
        self._hellos = 0
        self._damping = Damping()
        self._quality = Quality()
        self._flags_sequence = 0
        self._well_since: float | None = None
        self._failures = 0
        self._lacking: list[int] = []
        """IP versions that the endpoint has and the router does not carry."""
        self._no_session_at = -_NO_SESSION_S

    # -- what is known of it

    @property
    def in_question(self) -> bool:
        """Whether it answers, but is bad enough to be asked often if it still is."""
        return self._quality.degraded or bool(self.flags)

    @property
    def lossy(self) -> bool:
        """Whether so much was lost of late that another tunnel may be better."""
        return self._quality.loss is not None and self._quality.loss > THRESHOLDS.leave.loss

    @property
    def of_use(self) -> bool:
        """Whether traffic may well move here."""
        return self.liveness.state is State.UP and not self.flags

    def measure(self, now: float) -> Measure:
        """What is known of its path."""
        return self._quality.measure(self.liveness.srtt, now)

    @property
    def rtt_ms(self) -> float | None:
        """The smoothed round trip in ms."""
        return None if self.liveness.srtt is None else round(self.liveness.srtt * 1000, 3)

    @property
    def router_addresses(self) -> tuple[bytes, ...]:
        """The router's own inner addresses, as its HELLO_ACK has said."""
        return () if self.session is None else self.session.addresses

    @property
    def last_data(self) -> float:
        """When packets last went either way."""
        return max(self.data_sent, self.data_received)

    def view(self, now: float) -> View:
        """For `choose`."""
        return View(
            router_id=self.router_id,
            state=self.liveness.state,
            well_since=now if self._well_since is None else self._well_since,
            answered=self.liveness.last_answer,
            hold_s=self._damping.hold_s(now),
            measure=self.measure(now),
            degraded=self._quality.degraded,
            draining=RouterFlag.DRAINING in self.flags,
            restarting=RouterFlag.RESTARTING in self.flags,
            revoked=self.revoked is not None,
            egress_up=RouterFlag.EGRESS_DOWN not in self.flags,
        )

    def evidence(self, view: View, now: float) -> Evidence:
        """For people."""
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

    @property
    def _way_on_lost(self) -> bool:
        """Whether the router says so; one that is drained has not failed."""
        flags = self.flags & (RouterFlag.EGRESS_DOWN | RouterFlag.DRAINING)
        return flags == RouterFlag.EGRESS_DOWN

    # -- its sessions

    def adjust(self, settings: Settings) -> None:
        """Go by other settings.

        Another key or cipher opens a new session while the present one serves.
        """
        before = self._settings
        if (settings.key, settings.cipher) != (before.key, before.cipher):
            self._attempt = None
            self._hellos = 0
            self._rekeyed = True
            self._next_rekey = 0.0
        self._settings = settings
        self.liveness.retime(settings.timing)

    def resume(self, record: Record, since: float, now: float) -> list[Order]:
        """Go on with a session of an earlier process; no orders where that cannot be.

        One of another key or cipher serves until there is one with the present ones.
        """
        if not self.connected or record.claim != self._settings.claim or self.revoked:
            return []
        if self._list.epoch(record.secrets.key_id):
            return []
        self.state_since = since
        key = self._settings.key
        if record.key_print != key_print(key):
            self._rekeyed = True
            key = StaticKey(b"", record.mode, record.secrets.key_id)
        elif record.secrets.cipher is not self._settings.cipher:
            self._rekeyed = True
        return self._take(record, key, now)

    def enter(self, since: float) -> list[Order]:
        """Its state is another one since `since`, Unix time."""
        self.state_since = since
        return [NoteSession(self.index, since=since)] if self.index else []

    def go_by(self, revoked: RevokedTunnels, now: float) -> list[Order]:
        """Have no session that is revoked, and open none; what changes is told once."""
        self._list = revoked
        before, epoch = self.revoked, self._settings.key.key_id
        if revoked.router(self.router_id):
            self.revoked = f"{self.router_id} is revoked"
        elif revoked.epoch(epoch):
            self.revoked = f"the key for {self.router_id} is of epoch {epoch}, which is revoked"
        else:
            self.revoked = None
        orders: list[Order] = []
        if self.revoked is not None:
            self._attempt = None
            if self.revoked != before:
                orders.append(Tell(logging.WARNING, f"{self.revoked}: no tunnel to it"))
        elif before is not None:
            orders.append(Tell(logging.INFO, f"{self.router_id} is revoked no longer"))
        present = self.session is not None and revoked.epoch(self.session.secrets.key_id)
        if self.index and (self.revoked is not None or present):
            orders += self.close(now)
        return orders

    def lose_session(self, now: float) -> list[Order]:
        """Forget the sessions; handshakes begin at once."""
        closed: list[Order] = [CloseSession(i) for i in (self.index, self.previous) if i]
        self.session = None
        self.index = self.previous = 0
        self.carrying.end()
        self._hellos = 0
        self.liveness.session_lost(now)
        return closed

    def close(self, now: float) -> list[Order]:
        """Say BYE and forget everything."""
        bye: list[Order] = [SendControl(self.index, Type.BYE)] if self.index else []
        return bye + self.lose_session(now)

    def _take(self, record: Record, key: StaticKey, now: float) -> list[Order]:
        """Use a session from now on; the one before it still receives for a moment."""
        orders: list[Order] = [CloseSession(self.previous)] if self.previous else []
        self.previous = self.index
        self.index, self.session = record.secrets.local_index, record
        self._carried = 0
        self.ring.clear()
        self._quality.begin()
        self.flags, self._flags_sequence = RouterFlag(0), 0
        self.liveness.session_opened(now)
        opened = OpenSession(record, key, self.ring)
        noted = NoteSession(self.index, since=self.state_since)
        return [
            *orders,
            opened,
            noted,
            *self.carrying.begin(self.index, record.secrets.cipher, now),
        ]

    # -- what is due

    def due(self, now: float, *, busy: bool, active: bool, judge: bool) -> list[Order]:
        """What to send at `now`; `active` where traffic takes it, the rest as in `Liveness.due`."""
        orders = self._measure(now, busy=busy)
        for action in self.liveness.due(now, busy, judge=judge):
            orders += self._probe(now, active) if action is Action.PROBE else self._hello(now)
        orders += self._renew(now)
        self._judge(now)
        return orders

    def next_due(self, now: float, *, busy: bool) -> float:
        """When `due` has to be called next, in seconds of the same clock."""
        live = self.liveness
        answers = self.index and live.state is State.UP
        carrying = self.carrying.next_due(now, live.round_trip, busy=busy) if answers else math.inf
        return min(live.next_due(busy), carrying)

    def _measure(self, now: float, *, busy: bool) -> list[Order]:
        """Find out what the path carries, as long as it answers."""
        live = self.liveness
        if not self.index or live.state is not State.UP or live.pausing(now):
            self.carrying.interrupt()
            return []
        return self.carrying.due(now, live.round_trip, busy=busy)

    def _probe(self, now: float, active: bool) -> list[Order]:
        if not self.index:
            return []
        number = self.liveness.probe_number
        flags = (wire.ACTIVE if active else 0) | self.carrying.probe_flags(number, now)
        probe = Probe(int(now * 1e6), self.carrying.longest)
        return [SendControl(self.index, Type.PROBE, probe.encode(), flags=flags, specific=number)]

    def _hello(self, now: float) -> list[Order]:
        if not self.connected or self.revoked is not None:
            return []
        key, claim = self._settings.key, self._settings.claim
        if self._attempt is None or now - self._attempt[1] > _ATTEMPT_S:
            present = None if self.session is None else self.session.secrets
            index, stamp, cipher = self._new_index(), self._next_stamp(), self._settings.cipher
            initiator = Initiator(key, claim, index, self._random, stamp, present, cipher)
            self._attempt = initiator, now
        orders: list[Order] = [SendHello(self.router_id, self._attempt[0].hello())]
        self._hellos += 1
        if self._hellos == _UNANSWERED_HELLOS:
            stays = f" a HELLO with {self._offered}, the session in use stays"
            renewing = self.index and self.liveness.state is State.UP
            orders.append(
                Tell(
                    logging.WARNING,
                    f"{self.router_id} at {self.router.place}"
                    f" {name_ports(self.router.ports or [self._settings.port])}"
                    f" does not answer{stays if renewing else ''}; still trying",
                )
            )
        return orders

    def _next_stamp(self) -> int:
        """Microseconds since 1970, or one more than before."""
        self._stamp = max(self._stamp + 1, int(self._wall() * 1e6))
        return self._stamp

    def _renew(self, now: float) -> list[Order]:
        """Replace a session that is old, much used or of another key or cipher, while it works.

        The one before it is forgotten after a moment.
        """
        orders: list[Order] = []
        age = now - self.session.created if self.session is not None else 0.0
        if self.previous and age > _PREVIOUS_S:
            orders.append(CloseSession(self.previous))
            self.previous = 0
        # The index is random, and the same after a restart.
        worn = age > REKEY_S - EARLY_S * self.index / 2**32 or self._carried >= REKEY_DATAGRAMS
        if (self._rekeyed or worn) and now >= self._next_rekey:
            self._next_rekey = now + _REKEY_RETRY_S
            orders += self._hello(now)
        return orders

    def _judge(self, now: float) -> None:
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

    # -- what arrives

    def handle_connected(self, version: int, *, again: bool) -> None:
        """There is a socket to send from, over this IP version; `again`: in place of another."""
        self.connected = True
        self.carrying.leave_by(version, again=again)
        if again:
            self.liveness.probe_now()

    def handle_hello_ack(self, datagram: bytes, now: float, *, active: bool) -> list[Order]:
        """A HELLO_ACK, not yet verified; opens the session that it offers."""
        if datagram == self._answer:
            return []  # its HELLO was repeated
        if self._attempt is None:
            return [Refuse(Drop.NO_SESSION)]
        try:
            ack, agreed = self._attempt[0].finish(datagram)
        except BadTag:
            return [Refuse(Drop.TAG)]
        except (ClaimRefused, CipherRefused) as refused:
            return self._refused(refused)
        except HandshakeError as error:
            return [
                Tell(logging.DEBUG, f"HELLO_ACK of {self.router_id}: {error}"),
                Refuse(Drop.MALFORMED),
            ]
        if ack.router_id != self.router_id:
            impostor = (
                f"the router at {self.router.place} says that it is {ack.router_id},"
                f" not {self.router_id} as configured"
            )
            return [Tell(logging.WARNING, impostor), Refuse(Drop.SOURCE)]
        key = self._settings.key
        orders: list[Order] = []
        if self._rekeyed:
            text = f"tunnel to {self.router_id}: new session with {self._offered}"
            orders.append(Tell(logging.INFO, text))
        self._attempt, self._hellos, self._rekeyed = None, 0, False
        self._answer, self.refusal = datagram, None
        record = Record.of(
            agreed,
            key,
            self._settings.claim,
            now,
            owner=self.router_id,
            addresses=tuple(a.packed for a in (ack.tun_ipv4, ack.tun_ipv6) if a is not None),
        )
        orders += self._note_families(record)
        orders += self._take(record, key, now)
        self.flags = ack.flags
        # The router switches to the new session with the first packet that it opens.
        for action in self.liveness.due(now, busy=True):
            if action is Action.PROBE:
                orders += self._probe(now, active)
        return orders

    def handle_retry(self, datagram: bytes, now: float) -> list[Order]:
        """A RETRY, not yet verified: the router wants to know that the HELLO was sent just now."""
        if self._attempt is None:
            return [Refuse(Drop.NO_SESSION)]
        try:
            again = self._attempt[0].again(datagram, self._next_stamp(), self._random)
        except BadTag:
            return [Refuse(Drop.TAG)]
        except HandshakeError as error:
            return [
                Tell(logging.DEBUG, f"RETRY of {self.router_id}: {error}"),
                Refuse(Drop.MALFORMED),
            ]
        self._attempt = again, now
        return [SendHello(self.router_id, again.hello())]

    def _refused(self, refused: ClaimRefused | CipherRefused) -> list[Order]:
        """The router does not let this endpoint have what it claims or offers; it may later."""
        if refused.router_id != self.router_id:
            return [Refuse(Drop.SOURCE)]
        self._hellos = 0
        if isinstance(refused, CipherRefused):
            what, why = f"cipher {refused.cipher.text}", "it is not in its tunnel.ciphers"
        elif refused.objection is Objection.REVOKED:
            what, why = "all", _REVOKED_HERE
        else:
            what, why = text_of(refused.network), _WHY[refused.objection]
        text = f"{self.router_id} refuses {what}: {why}"
        before, self.refusal = self.refusal, text
        told = [] if text == before else [Tell(logging.WARNING, text)]
        return [*told, Refuse(Drop.SOURCE)]

    @property
    def _offered(self) -> str:
        """What a HELLO names now, for people."""
        cipher = self._settings.cipher
        return _named(self._settings.key) + (f" and cipher {cipher.text}" if cipher else "")

    def _note_families(self, record: Record) -> list[Order]:
        """Say once what the endpoint has and the router does not carry."""
        own: dict[int, int] = {
            len(address.packed): address.version for address in record.claim.addresses
        }
        lacking = sorted(own[size] for size in own.keys() - set(map(len, record.addresses)))
        before, self._lacking = self._lacking, lacking
        if lacking in ([], before):
            return []
        text = f"{self.router_id} carries no IPv{lacking[0]}: what is sent through it is lost"
        return [Tell(logging.WARNING, text)]

    def handle_no_session(self, datagram: bytes, last_sent: int, now: float) -> list[Order]:
        """The router, or who poses as it, knows no session of ours: say HELLO.

        The session stays until that is answered, since NO_SESSION proves nothing. `last_sent` is
        the number of the last datagram that it has sealed.
        """
        if self.session is None or now - self._no_session_at < _NO_SESSION_S:
            return [Refuse(Drop.NO_SESSION)]
        _, _, _, _, index, sequence, _ = wire.HEADER.unpack_from(datagram)
        known = index == self.session.secrets.peer_index
        if not known or not last_sent - _RECENT < sequence <= last_sent:
            return [Refuse(Drop.NO_SESSION)]
        self._no_session_at = now
        return self._hello(now)

    def handle_control(
        self, index: int, control: Control, highest: int, received: int, now: float
    ) -> list[Order]:
        """A verified control datagram of its session `index`. Raises wire.Malformed.

        `highest` and `received` are what that session has received so far: the highest sequence
        number, and how many datagrams.
        """
        if control.kind is Type.PROBE_ACK:
            ack = ProbeAck.decode(control.body)
            rtt = max(0.0, now - ack.timestamp_us / 1e6)
            self.liveness.probe_answered(control.specific, rtt, now)
            self._take_flags(index, control, now)
            if index == self.index:
                self._acknowledged(control.specific, ack, highest, received, now)
        elif control.kind is Type.PATH_ACK:
            return self.carrying.handle_path_ack(control, now, present=index == self.index)
        elif control.kind in {Type.TRAIN, Type.TRAIN_ACK}:
            self.carrying.handle_train(control)
        elif control.kind is Type.ROLE:
            self._take_flags(index, control, now)
        elif control.kind is Type.PROBE and index == self.index:
            # Another device wants to be this one, and the router asks who is there.
            stamp = Probe.decode(control.body).timestamp_us
            answer = ProbeAck(stamp, highest, received, highest, 0).encode()
            return [SendControl(index, Type.PROBE_ACK, answer, specific=control.specific)]
        elif control.kind is Type.BYE and index == self.index:
            closed = Tell(logging.INFO, f"{self.router_id} has closed its tunnel")
            return [closed, *self.lose_session(now)]
        return []

    def _take_flags(self, index: int, control: Control, now: float) -> None:
        """What the router says of itself; what was overtaken on the way is left."""
        if index != self.index or control.sequence <= self._flags_sequence:
            return
        self._flags_sequence = control.sequence
        before, self.flags = self.flags, RouterFlag(control.flags & _KNOWN_FLAGS)
        if self.flags & ~before & RouterFlag.RESTARTING:
            self.liveness.pauses(now)

    def _acknowledged(
        self, number: int, ack: ProbeAck, highest: int, received: int, now: float
    ) -> None:
        if RouterFlag.EGRESS_DOWN not in self.flags:
            # What a router without a way on has received is as good as lost.
            self.ring.acknowledged(ack.highest, ack.confirmed, now)
        self._carried = max(ack.highest, highest)
        counts = self.carrying.handle_probe_ack(number, ack, highest, received, now)
        if counts is not None:
            srtt = self.liveness.srtt or 0.0
            self._quality.observe(counts, srtt, now, self._others(self.router_id, now))

    def unconfirmed(self, now: float) -> list[bytes]:
        """Take out what is to be sent again elsewhere, as the router does not answer or is useless.

        What it has received it has also forwarded, unless its way on is lost.
        """
        return self.ring.take(now, received=self._way_on_lost)


def _named(key: StaticKey) -> str:
    mode = "its device key" if key.mode is KeyMode.DEVICE else "the PSK"
    return f"{mode} of epoch {key.key_id}"
