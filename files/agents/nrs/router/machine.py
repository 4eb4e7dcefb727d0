"""What a routing server does with handshakes, control datagrams, addresses and its own state.

    handle_hello      HELLO        ->  a pending session and its HELLO_ACK, or a refusal;
                                       whoever has what it claims is asked whether it is there;
                                       a RETRY where it may be an old one
    handle_confirmed  first packet ->  that session is current, its addresses are routed to it
    handle_moved      a new address         ->  whoever is there is challenged
    ask_candidates    and again, or its datagrams go where they went before
    handle_control    PROBE, PROBE_ACK, ROLE, BYE
    ask_holders       who is asked is asked again, or does not answer
    handle_unknown    a datagram of no session  ->  NO_SESSION
    handle_config     keys, networks            ->  sessions of what is gone of these end
    handle_host       addresses, networks       ->  so do those that have another's address
    handle_revocations endpoints, key epochs    ->  sessions of these end, their HELLOs are refused
    handle_service    egress, drain, restart    ->  endpoints and load balancers are told
    due               what has been silent for too long, or is too old, is forgotten

Events come with the time, answers are orders. What packets need is asked directly (`select`).
Pure.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from logging import DEBUG, INFO, WARNING
from typing import Any

from nrs.config.tun_addresses import BOTH, Families
from nrs.config.types import IPAddress, IPNetwork, is_within, text_of
from nrs.identity.revoked_tunnels import RevokedTunnels
from nrs.router import session_index
from nrs.router.announcement import Announcement
from nrs.router.claims import Host, Rules
from nrs.router.config import RoutingServerConfig
from nrs.router.contest import Contest, Contests
from nrs.router.freshness import Freshness, HandshakeLoad
from nrs.router.orders import (
    AddRoutes,
    Announce,
    Answer,
    AskCandidates,
    AskHolders,
    Order,
    RemoveRoutes,
    Report,
)
from nrs.router.path_validation import Challenge, PathValidation
from nrs.router.service import Service
from nrs.router.session_table import Device, Entry, Pending, Sessions, SessionState, SessionTable
from nrs.router.trains import Trains
from nrs.system.route import prefix_of
from nrs.tunnel import wire
from nrs.tunnel.address_text import describe
from nrs.tunnel.control import Control
from nrs.tunnel.drop import Drop
from nrs.tunnel.handshake import (
    BadTag,
    HandshakeError,
    Identity,
    ModeRefused,
    Offer,
    Random,
    Responder,
    StaticKey,
    proves,
    succession_key,
)
from nrs.tunnel.inner import flow_destination
from nrs.tunnel.orders import (
    CloseSession,
    DoubtPath,
    DropCandidate,
    LimitDatagrams,
    NoteSession,
    OpenSession,
    Refuse,
    SendControl,
    TakeCandidate,
    Tell,
)
from nrs.tunnel.ratelimit import SourceLimiter
from nrs.tunnel.record import Progress, Record, key_print
from nrs.tunnel.wire import (
    Cipher,
    Claim,
    Hello,
    KeyMode,
    Objection,
    Probe,
    ProbeAck,
    RouterFlag,
    Type,
)

_REFUSAL_INTERVAL_S = 1.0
_NO_SESSIONS_A_SECOND = 5
"""To one source: many endpoints may be behind one address."""
_WRONG_MODE = {
    KeyMode.SHARED: (
        "its key is the shared PSK, and tunnel.key_modes allows device keys only: give it"
        " tunnel.device_key, or allow 'shared' here"
    ),
    KeyMode.DEVICE: (
        "its key is a device key, and tunnel.key_modes allows the shared PSK only: allow"
        " 'device' here"
    ),
}
_REVOKED = "its key is revoked"
_REVOKED_EPOCH = "the key epoch is revoked"

Peer = tuple[Any, ...]
"""A socket address: host, port and more."""


class RouterMachine:
    """The decisions of a routing server around its session table.

    `now` is in seconds of the clock of `Sessions`, `wall` in seconds since the Unix epoch.
    """

    def __init__(
        self,
        config: RoutingServerConfig,
        random: Random,
        families: Families = BOTH,
        beginning: int | None = None,
        *,
        retry_secret: bytes,
    ) -> None:
        """`families` are those that the TUN device can have; `retry_secret` as for `Freshness`.

        `beginning` is that of session indices (`session_index.beginning`), if they have one.
        """
        self.beginning = beginning
        self._families = families
        self._host = Host()
        self._random = random
        self._table = SessionTable()
        self._service = Service()
        self._flags = RouterFlag(0)
        self._announcement = Announcement()
        self._contests = Contests(random)
        self._asking = False
        self._validation = PathValidation(random)
        self.paths_not_validated = 0
        """How often nobody has answered where a session's datagrams seemed to come from."""
        self._challenging = False
        self._revoked = RevokedTunnels()
        self._revoked_told: set[str] = set()
        """Of these endpoints it was said that they are refused."""
        self._trains = Trains(self._table)
        self.refused_claims = 0
        """How often an endpoint whose key is known claimed what it may not have."""
        self._freshness = Freshness(retry_secret)
        self._load = HandshakeLoad()
        self._limiter = SourceLimiter()
        """Fresh HELLOs, by claim; answers to the others, by HELLO and where it comes from."""
        self._asked = SourceLimiter()
        self.retries = 0
        """How often a HELLO was answered with a RETRY."""
        self._strangers = SourceLimiter(rate=_NO_SESSIONS_A_SECOND, burst=_NO_SESSIONS_A_SECOND)
        self._refused_at = self._unanswered_at = -_REFUSAL_INTERVAL_S
        self._configure(config)

    def _configure(self, config: RoutingServerConfig) -> None:
        tunnel = config.tunnel
        own: list[IPAddress] = [address.ip for address in tunnel.addresses]
        own += [a for a in (config.server.internal_ip, config.server.external_ip) if a]
        self._on_link = tunnel.on_link
        self._rules = Rules(
            tunnel.claimable,
            tunnel.endpoint_prefixes,
            own,
            tunnel.on_link,
            config.services,
            self._host,
        )
        four = tunnel.tun_ipv4 if 4 in self._families else None
        six = tunnel.tun_ipv6 if 6 in self._families else None
        self._identity = Identity(config.server.server_id, four and four.ip, six and six.ip)
        self._carried = {address.version for address in (four, six) if address is not None}
        self._responder = Responder(
            self._identity,
            tunnel.keys,
            frozenset(KeyMode[mode.upper()] for mode in tunnel.modes),
        )
        self._ciphers = frozenset(map(Cipher.named, tunnel.ciphers))
        self._held = {key_print(key, self._identity): key for key in self._responder.held()}

    # -- asked by packets

    def select(self, flow: bytes, tcp_flags: int, now: float) -> int:
        """The session of the endpoint that the flow leads to, 0: none."""
        return self._table.select(flow_destination(flow))

    def delivered(self, index: int, now: float) -> None:
        """Nothing to do: liveness is the endpoints' business."""

    # -- asked by who shows them, perhaps in another thread

    @property
    def devices(self) -> Iterable[Device]:
        """Those that have a session, or are offered one; not to be changed."""
        return self._table

    @property
    def service(self) -> Service:
        """As stated last."""
        return self._service

    @property
    def keys(self) -> Mapping[int, bytes]:
        """The PSKs or master keys, by key id, that HELLOs are proven by."""
        return self._responder.masters

    def is_taken(self, address: IPAddress) -> bool:
        """Whether an inner address is this router's own or an endpoint's."""
        return address in self._rules.own or self._table.select(address.packed) != 0

    def count_up(self, now: float, sessions: Sessions) -> int:
        """Devices with a live tunnel."""
        return self._table.count_up(now, sessions)

    @property
    def refused_devices(self) -> int:
        """How often a second device of one identity or tunnel address was refused."""
        return self._contests.refused

    def contested(self, device: Device) -> bool:
        """Whether another device wants what this one has."""
        contest = None if device.current is None else self._contests.get(device.current.index)
        return contest is not None and contest.contested is not None

    # -- sessions

    def handle_hello(
        self, datagram: bytes, peer: Peer, now: float, sessions: Sessions
    ) -> list[Order]:
        """A HELLO from `peer`, not yet verified."""
        try:
            offer = self._responder.check(datagram)
            claim = offer.hello.claim
            repeated = self._table.repeated(claim, offer.hello.nonce)
            if repeated is not None and self._asked.allow(_asking(offer.hello, peer), now):
                index = repeated.entry.index
                # An answer that has gone to two places says of none that it has arrived there.
                doubt = [] if sessions[index].peer == peer else [DoubtPath(index)]
                return [Answer(repeated.answer), *doubt]
            if not self._is_fresh(offer.hello, peer, now):
                return self._ask_again(offer, peer, now)
            if not self._limiter.allow(claim.encode(), now):
                return [Refuse(Drop.RATE)]
            self._freshness.believe(claim, offer.hello.stamp, offer.hello.nonce)
            if (revoked := self._revocation(claim, offer.held)) is not None:
                told = self._tell_revoked(claim, peer, revoked, now)
                return [*self._deny(offer, Objection.REVOKED, 0, Drop.REVOKED), *told]
            if offer.hello.cipher not in self._ciphers:
                return self._deny_cipher(offer, peer, now)
            refusal = self._rules.refusal(claim, _address(peer))
            if refusal is not None:
                self.refused_claims += 1
                told = self._tell_refusal(now, claim, peer, refusal.why)
                return [*self._deny(offer, refusal.objection, refusal.item), *told]
            return self._answer(offer, peer, now, sessions)
        except BadTag:
            return [Refuse(Drop.TAG)]
        except ModeRefused as refused:
            why = _WRONG_MODE[refused.hello.key_mode]
            told = self._tell_refusal(now, refused.hello.claim, peer, why)
            return [Refuse(Drop.MALFORMED), *told]
        except HandshakeError as error:
            text = f"HELLO from {describe(peer)}: {error}"
            return [Refuse(Drop.MALFORMED), Tell(DEBUG, text)]

    def note_handshake(self, seconds: float, now: float) -> None:
        """How long `handle_hello` has taken: where that is much, HELLOs are to bring a token."""
        self._load.spent(seconds, now)

    def _is_fresh(self, hello: Hello, peer: Peer, now: float) -> bool:
        if self._freshness.is_newer(hello) and not self._load.is_much(now):
            return True
        return self._freshness.is_asked_for(hello, _place(peer), now)

    def _ask_again(self, offer: Offer, peer: Peer, now: float) -> list[Order]:
        if not self._asked.allow(_asking(offer.hello, peer), now):
            return [Refuse(Drop.RATE)]
        self.retries += 1
        token = self._freshness.token(offer.hello.claim, _place(peer), now)
        return [Answer(self._responder.retry(offer, token))]

    def _answer(self, offer: Offer, peer: Peer, now: float, sessions: Sessions) -> list[Order]:
        """Raises HandshakeError."""
        contests, holders = [], []
        for entry in self._table.holders(offer.hello.claim):
            if proves(offer.hello, entry.succession):
                continue
            holders.append(entry.index)
            device = self._table.device(entry.index)
            replaced = device is not None and _replaces(offer, device.claim)
            if device is not None and device.up(now, sessions) and not replaced:
                where = describe(sessions[entry.index].peer or ())
                contests.append(self._contests.ask(entry.index, where, now))
            else:
                self._contests.forget(entry.index)
        asked = self._ask_holders(now) if contests else []
        contested = [contest for contest in contests if contest.contested is not None]
        if contested:
            claim = offer.hello.claim
            told = self._meets(contested[0], claim, describe(peer), now)
            item = self._disputed(contested[0], claim)
            return [*self._deny(offer, Objection.ANOTHERS, item), *told, *asked]
        return [*self._offer(offer, now, tuple(holders)), *asked]

    def _deny(
        self, offer: Offer, objection: Objection, item: int, drop: Drop = Drop.SOURCE
    ) -> list[Order]:
        """Say so to an endpoint whose key is known."""
        answer = self._responder.refuse(offer, objection, item, self._flags)
        return [Refuse(drop), Answer(answer)]

    def _deny_cipher(self, offer: Offer, peer: Peer, now: float) -> list[Order]:
        cipher = offer.hello.cipher
        why = f"its cipher {cipher.text} is not in tunnel.ciphers"
        told = self._tell_refusal(now, offer.hello.claim, peer, why)
        return [*self._deny(offer, Objection.CIPHER, cipher), *told]

    def _disputed(self, contest: Contest, claim: Claim) -> int:
        """Which of what is claimed the holder has."""
        holder = self._table.device(contest.holder)
        held = () if holder is None else holder.claim.networks
        items = enumerate(claim.networks)
        return next((item for item, wanted in items if any(wanted.overlaps(h) for h in held)), 0)

    def _offer(self, offer: Offer, now: float, holders: tuple[int, ...]) -> list[Order]:
        index, claim, nonce = self._free_index(), offer.hello.claim, offer.hello.nonce
        answer, agreed = self._responder.accept(offer, index, self._flags, self._random)
        record = Record.of(
            agreed,
            offer.held,
            claim,
            now,
            identity=self._identity,
            stamp=offer.hello.stamp,
            nonce=nonce,
        )
        entry = Entry(index, offer.held, succession_key(agreed), agreed.cipher)
        pending = Pending(entry, nonce, answer, now, holders)
        return [
            *self._over(self._table.offer(claim, pending)),
            OpenSession(record, offer.held),
            Answer(answer),
        ]

    def ask_holders(self, now: float) -> list[Order]:
        """As `AskHolders` has it: ask again, and go by who is silent."""
        self._asking = False
        return self._ask_holders(now)

    def _ask_holders(self, now: float) -> list[Order]:
        ask, silent = self._contests.due(now)
        probe = Probe(int(now * 1e6), 0).encode()
        orders: list[Order] = [
            SendControl(contest.holder, Type.PROBE, probe, specific=contest.number)
            for contest in ask
            if contest.holder in self._table
        ]
        for contest in silent:
            orders += self._give_way(contest.holder, contest.rival_where)
        when = self._contests.next_due(now)
        if when is None or self._asking:
            return orders
        self._asking = True
        return [*orders, AskHolders(when)]

    def _give_way(self, holder: int, where: str, to: Claim | None = None) -> list[Order]:
        """Close a session if another device, which claims `to`, has an address of its own.

        It does not answer, or is the one that the other was made to replace.
        """
        device = self._table.robbed(holder)
        if device is None:
            return []
        name = device.claim.endpoint_id
        text = f"tunnel to {name} is closed: nobody answers, and the one at {where} has its address"
        if to is not None and _is_later(to, device.claim):
            text = (
                f"tunnel to {name} is closed: generation {to.generation}, at {where}, replaces it"
            )
        closed = self._forget(device, self._table.remove(device))
        return [SendControl(holder, Type.BYE), Tell(WARNING, text), *closed]

    def _meets(self, contest: Contest, claim: Claim, where: str, now: float) -> list[Order]:
        """A second device wants what a session in use has."""
        device = self._table.device(contest.holder)
        if device is None or not self._contests.meets(contest, where, now):
            return []
        kept = device.claim.endpoint_id
        what = f"are {kept}" if claim == device.claim else f"have {_shared(device.claim, claim)}"
        other = "" if claim.endpoint_id == kept else f" ({claim.endpoint_id})"
        one = "" if claim.endpoint_id == kept else f" ({kept})"
        text = f"two devices say that they {what}: the one at {contest.where}{one} is kept,"
        return [Tell(WARNING, f"{text} the one at {where}{other} is refused")]

    def _free_index(self) -> int:
        while True:
            index = session_index.drawn(self.beginning, self._random)
            if index and index not in self._table:
                return index

    def _tell_refusal(self, now: float, claim: Claim, peer: Peer, why: str) -> list[Order]:
        if now - self._refused_at < _REFUSAL_INTERVAL_S:
            return []
        self._refused_at = now
        return [Tell(WARNING, f"refused {claim.endpoint_id} from {describe(peer)}: {why}")]

    def resume(self, record: Record, progress: Progress, now: float) -> list[Order]:
        """Go on with a session of an earlier process, the older ones first.

        Without an order to open it, it would not be accepted now.
        """
        claim, index, cipher = record.claim, record.secrets.local_index, record.secrets.cipher
        key = self._held.get(record.key_print)
        if key is None or cipher not in self._ciphers or self._rules.refusal(claim) is not None:
            return []
        if self._revocation(claim, key) is not None:
            return []
        self._freshness.believe(claim, record.stamp, record.nonce)
        entry = Entry(index, key, succession_key(record.secrets), cipher)
        device, gone = self._table.resume(claim, entry, progress, now)
        routes = self._routes(device) if progress.confirmed else []
        return [OpenSession(record, key), *self._over(gone), *routes]

    def handle_confirmed(self, index: int, peer: Peer, now: float, wall: float) -> list[Order]:
        """A session's first authentic datagram has arrived, from `peer`."""
        pending, where = self._table.pending(index), describe(peer)
        holders = pending.holders if pending is not None else ()
        contests = [c for c in map(self._contests.get, holders) if c is not None]
        for contest in contests:
            if contest.alive is not None:
                return self._refuse(contest, index, where, now)
        for contest in contests:
            contest.rival, contest.rival_where = index, where
        known = self._table.device(index)
        fresh = known is not None and known.current is None
        device, forget = self._table.confirm(index, now, wall)
        if device.previous is not None and device.previous[0].index not in holders:
            self._contests.inherit(device.previous[0].index, index)
        orders: list[Order] = [
            *self._over(forget),
            NoteSession(index, device.active, device.since),
            *self._routes(device),
        ]
        for holder in set(holders) - {contest.holder for contest in contests}:
            orders += self._give_way(holder, where, device.claim)
        if fresh:
            claim = device.claim
            text = f"tunnel to {claim.endpoint_id} is up ({claim.addresses[0]}, from {where})"
            orders.append(Tell(INFO, text))
        return orders

    def _refuse(self, contest: Contest, rival: int, where: str, now: float) -> list[Order]:
        """The holder is there: a session of a second device is closed, whatever it has become."""
        device, holder = self._table.device(rival), self._table.device(contest.holder)
        if device is None or holder is None:
            return []
        told = self._meets(contest, device.claim, where, now)
        used = self._table.pending(rival) is None
        others = self._contests.against(rival)
        gone = self._table.restore(contest.holder, rival) if used else self._table.withdraw(rival)
        if not gone:
            return told
        for other in others:
            self._table.lead(other.holder)
            other.rival = 0
        routes = self._routes(holder) if used else []
        note = NoteSession(contest.holder, holder.active, holder.since)
        return [SendControl(rival, Type.BYE), *self._forget(device, gone), *routes, note, *told]

    def handle_moved(self, index: int, now: float, *, elsewhere: bool) -> list[Order]:
        """A session's newest datagram came from elsewhere than its path leads, or not any more."""
        if not elsewhere or index not in self._table:
            self._validation.forget(index)
            return []
        return [_asked(self._validation.begin(index, now)), *self._ask_candidates_later(now)]

    def ask_candidates(self, now: float) -> list[Order]:
        """As `AskCandidates` has it: challenge again, and go by who is silent."""
        self._challenging = False
        again, failed = self._validation.due(now)
        orders: list[Order] = [_asked(one) for one in again if one.session in self._table]
        for index in failed:
            device = self._table.device(index)
            if device is not None:
                self.paths_not_validated += 1
                orders += [DropCandidate(index), *self._tell_unanswered(device, now)]
        return orders + self._ask_candidates_later(now)

    def _tell_unanswered(self, device: Device, now: float) -> list[Order]:
        if now - self._unanswered_at < _REFUSAL_INTERVAL_S:
            return []
        self._unanswered_at = now
        text = f"nobody answers where {device.claim.endpoint_id} seems to be by now"
        return [Tell(INFO, text)]

    def _ask_candidates_later(self, now: float) -> list[Order]:
        when = None if self._challenging else self._validation.next_due(now)
        if when is None:
            return []
        self._challenging = True
        return [AskCandidates(when)]

    def handle_control(
        self, index: int, control: Control, highest: int, received: int, port: int, now: float
    ) -> list[Order]:
        """`highest`, `received`: what the session has received in the datagram's lane.

        `port` is where it comes in. Raises wire.Malformed.
        """
        device = self._table.device(index)
        if device is None:
            return []
        entry = device.entry(index)
        state, current = entry.state, entry is device.current
        if control.kind is Type.BYE and current:
            text = f"tunnel to {device.claim.endpoint_id} was closed by the endpoint"
            return [Tell(INFO, text), *self._forget(device, self._table.remove(device))]
        orders: list[Order] = []
        if control.kind is Type.PROBE_ACK and control.from_candidate:
            stamp = ProbeAck.decode(control.body).timestamp_us
            if self._validation.answered(index, control.specific, stamp):
                return [TakeCandidate(index)]
        if control.kind is Type.PROBE_ACK:
            contest = self._contests.answered(index, control.specific, now)
            if contest is not None and contest.rival:
                return self._refuse(contest, contest.rival, contest.rival_where, now)
        newer = current and control.sequence > state.role_sequence
        if control.kind is Type.PATH_PROBE:
            state.path_probes += 1
            answer = wire.encode_path_ack(control.length, control.cipher)
            orders.append(
                SendControl(index, Type.PATH_ACK, answer, specific=control.specific, whole=True)
            )
        if control.kind is Type.TRAIN:
            orders += self._trains.answer(state, index, control, now)
        if control.kind is Type.PROBE:
            probe = Probe.decode(control.body)
            answer = ProbeAck(
                timestamp_us=probe.timestamp_us,
                highest=highest,
                received=received,
                confirmed=self._got_through(state, highest, current=current),
                path_probes=state.path_probes,
            ).encode()
            flags, specific = self._flags, control.specific
            orders.append(SendControl(index, Type.PROBE_ACK, answer, flags, specific))
            limit = probe.longest, bool(control.flags & wire.SETTLED)
            if newer and limit != state.limit:
                state.limit = limit
                orders.append(LimitDatagrams(index, *limit))
            if newer:
                orders += self._trains.hear(state, index, control.flags, port, now)
        if control.kind in {Type.PROBE, Type.ROLE} and current:
            active = bool(control.flags & wire.ACTIVE)
            if device.take_role(control.sequence, active):
                orders.append(NoteSession(index, active, device.since))
        return orders

    def handle_unknown(self, datagram: bytes, peer: Peer, now: float) -> list[Order]:
        """Tell the sender that there is no such session: after a reboot it will say HELLO."""
        if not self._strangers.allow(_source_key(peer), now):
            return []
        return [Answer(wire.no_session(datagram))]

    def due(self, now: float, sessions: Sessions) -> list[Order]:
        """Forget the silent, and end what is too old."""
        orders: list[Order] = []
        for device in self._table:
            orders += self._end_old(device, now, sessions)
            lost = self._table.expire(device, now, sessions)
            if lost and device.since and device.current is None and not device.pending:
                text = f"tunnel to {device.claim.endpoint_id} is gone: nothing heard"
                orders.append(Tell(INFO, text))
            orders += self._forget(device, lost)
        return orders + self._ask_holders(now) + self._trains.due(now)

    def _end_old(self, device: Device, now: float, sessions: Sessions) -> list[Order]:
        """Close a session that its endpoint should have renewed long ago; one on offer stays."""
        lost = self._table.outlived(device, now, sessions)
        if not lost:
            return []
        text = f"tunnel to {device.claim.endpoint_id} is closed: its session was not renewed"
        return [SendControl(lost[0], Type.BYE), Tell(WARNING, text), *self._forget(device, lost)]

    # -- the router itself

    def handle_config(self, config: RoutingServerConfig) -> list[Order]:
        """Take over a configuration; sessions stay, but for a lost key, cipher or claim."""
        self._configure(config)
        orders: list[Order] = []
        for device in self._table:
            # `endpoint_networks` are for those that come from now on.
            beyond = self._rules.beyond(device.claim, first=len(device.claim.addresses))
            refusal = beyond or self._rules.conflict(device.claim)
            if refusal is not None:
                orders += self._close(device, refusal.why)
                continue
            orders += self._end_sessions(device, self._not_accepted)
        return orders

    def handle_revocations(self, revoked: RevokedTunnels) -> list[Order]:
        """Go by what is revoked now; the sessions of that end at once."""
        if revoked != self._revoked:
            self._revoked_told.clear()
        self._revoked = revoked
        orders: list[Order] = []
        for device in self._table:
            if revoked.endpoint(device.claim.endpoint_id, device.claim.generation):
                orders += self._close(device, _REVOKED)
            else:
                orders += self._end_sessions(device, self._of_revoked_epoch)
        return orders

    def _not_accepted(self, entry: Entry) -> str | None:
        if entry.cipher not in self._ciphers:
            return f"its cipher {entry.cipher.text} is no longer accepted"
        if not self._responder.accepts(entry.key):
            return "the key that opened it is no longer accepted"
        return None

    def _of_revoked_epoch(self, entry: Entry) -> str | None:
        return _REVOKED_EPOCH if self._revoked.epoch(entry.key.key_id) else None

    def handle_host(self, host: Host) -> list[Order]:
        """Go by what the host has now; tunnels whose addresses are somebody else's are closed."""
        self._host, self._rules = host, replace(self._rules, host=host)
        orders: list[Order] = []
        for device in self._table:
            conflict = self._rules.conflict(device.claim)
            if conflict is not None:
                orders += self._close(device, conflict.why)
        return orders

    def handle_service(self, service: Service) -> list[Order]:
        """Go by another state, and tell of it."""
        before, self._service = self._service, service
        orders: list[Order] = []
        if service.flags != self._flags:
            self._flags = service.flags
            self._announcement = Announcement(self._table)
            orders.append(Announce())
        if (service.egress_up, service.draining) != (before.egress_up, before.draining):
            orders.append(Report())
        return orders

    def announce_next(self, now: float, sessions: Sessions) -> list[Order] | None:
        """Tell the next endpoint of the state, perhaps later; None where nobody is left."""
        if self._announcement.over:
            return None
        index = self._announcement.next(now, sessions)
        return [SendControl(index, Type.ROLE, flags=self._flags)] if index else []

    def close(self) -> list[Order]:
        """Say BYE to every endpoint, and forget them."""
        orders = [order for device in self._table for order in self._bye(device)]
        for device in self._table:
            orders += self._forget(device, self._table.remove(device))
        return orders

    # -- its parts

    def _revocation(self, claim: Claim, held: StaticKey) -> str | None:
        """Why a claim that was made with a key of `held`'s epoch is refused, or None."""
        if self._revoked.endpoint(claim.endpoint_id, claim.generation):
            return _REVOKED
        return _REVOKED_EPOCH if self._revoked.epoch(held.key_id) else None

    def _tell_revoked(self, claim: Claim, peer: Peer, why: str, now: float) -> list[Order]:
        """Once of each endpoint in the list; of a key that is in many hands once a second."""
        if why == _REVOKED_EPOCH:
            return self._tell_refusal(now, claim, peer, why)
        if claim.endpoint_id in self._revoked_told:
            return []
        self._revoked_told.add(claim.endpoint_id)
        return [Tell(WARNING, f"refused {claim.endpoint_id} from {describe(peer)}: {why}")]

    def _end_sessions(self, device: Device, why_not: Callable[[Entry], str | None]) -> list[Order]:
        """End those that there is something against."""
        current = device.current
        lost = self._table.revoke(device, lambda entry: why_not(entry) is None)
        orders: list[Order] = []
        if current is not None and current.index in lost:
            why = why_not(current)
            # Said before it is forgotten: the endpoint tries anew at once.
            orders += [
                SendControl(current.index, Type.BYE),
                Tell(WARNING, f"tunnel to {device.claim.endpoint_id} is closed: {why}"),
            ]
        return [*orders, *self._forget(device, lost)]

    def _close(self, device: Device, why: str) -> list[Order]:
        told = Tell(WARNING, f"tunnel to {device.claim.endpoint_id} is closed: {why}")
        return [*self._bye(device), told, *self._forget(device, self._table.remove(device))]

    def _bye(self, device: Device) -> list[Order]:
        return [] if device.current is None else [SendControl(device.current.index, Type.BYE)]

    def _got_through(self, state: SessionState, highest: int, *, current: bool) -> int:
        """Up to which number what a session has brought is known to be past the egress."""
        echoes = self._service.echoes
        if echoes is None:
            return highest
        return state.delivery.confirmed(highest, echoes) if current else 0

    def _routes(self, device: Device) -> list[Order]:
        beyond = tuple(map(prefix_of, self._beyond(device)))
        return [AddRoutes(beyond)] if beyond else []

    def _forget(self, device: Device, sessions: list[int]) -> list[Order]:
        if not sessions:
            return []
        unused = tuple(prefix_of(n) for n in self._beyond(device) if not self._table.leads(n))
        return [*self._over(sessions), *([RemoveRoutes(unused)] if unused else [])]

    def _over(self, sessions: Iterable[int]) -> list[Order]:
        """Close what the table has forgotten; nobody is asked in it any more."""
        for index in sessions:
            self._contests.forget(index)
            self._validation.forget(index)
        return [*map(CloseSession, sessions)]

    def _beyond(self, device: Device) -> list[IPNetwork]:
        """What it has that the networks of the TUN device itself do not lead to.

        That of a family that the router is without leads nowhere.
        """
        return [
            claimed
            for claimed in device.claim.networks
            if claimed.version in self._carried
            and not any(is_within(claimed, network) for network in self._on_link)
        ]


def _asked(challenge: Challenge) -> SendControl:
    return SendControl(
        challenge.session,
        Type.PROBE,
        challenge.body,
        specific=challenge.number,
        challenge=True,
    )


def _shared(one: Claim, other: Claim) -> str:
    """What both claim, for people."""
    pairs = [(a, b) for b in other.networks for a in one.networks if a.overlaps(b)]
    return " and ".join(text_of(b) if a == b else f"{a} or {b}" for a, b in pairs)


def _address(peer: Peer) -> IPAddress:
    """Where a datagram has come from; an IPv4 address as such, also at an IPv6 socket."""
    address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _replaces(offer: Offer, held: Claim) -> bool:
    """Whether a HELLO comes from the device that was made to replace the one of `held`."""
    return offer.hello.key_mode is KeyMode.DEVICE and _is_later(offer.hello.claim, held)


def _is_later(claim: Claim, held: Claim) -> bool:
    return claim.endpoint_id == held.endpoint_id and claim.generation > held.generation


def _place(peer: Peer) -> bytes:
    """Address and port, which a token is for."""
    return _address(peer).packed + int(peer[1]).to_bytes(2, "big")


def _asking(hello: Hello, peer: Peer) -> bytes:
    """One HELLO from one place: what is replayed takes nothing of the others."""
    return _place(peer) + hello.nonce


def _source_key(peer: Peer) -> bytes:
    """What answers are limited by: the IPv4 address, or the /64 of an IPv6 one."""
    address = _address(peer)
    return address.packed if address.version == 4 else address.packed[:8]
