"""The one-round-trip handshake: both ends prove the key, neither keeps state for a stranger.

    endpoint                                   router
    Initiator.hello()        -- HELLO -->      Responder.answer(): tag first, then X25519
    Initiator.finish()      <-- HELLO_ACK --   keys derived, session not yet current
    first packet             -- PROBE -->      session becomes current

A router that has to know whether a HELLO is fresh, or that it comes from where it says, answers
with a RETRY instead, and the next HELLO brings the token from it:

    Initiator.again()        <-- RETRY --      Responder.retry()

Pure: bytes in, bytes and keys out; randomness is passed in.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from nrs.config.types import IPNetwork
from nrs.tunnel import keys, wire
from nrs.tunnel.wire import (
    Cipher,
    Claim,
    Hello,
    HelloAck,
    KeyMode,
    Objection,
    Retry,
    RouterFlag,
    Type,
)

Random = Callable[[int], bytes]


class HandshakeError(Exception):
    """A handshake datagram that is not to be answered."""


class BadTag(HandshakeError):
    """The tag does not prove the key."""


class ModeRefused(HandshakeError):
    """The tag proves the key, in a mode that is not allowed here."""

    def __init__(self, hello: Hello) -> None:
        super().__init__(f"key mode {hello.key_mode.name.lower()} is not allowed here")
        self.hello = hello


class ClaimRefused(HandshakeError):
    """The router knows the key, and does not let this endpoint have what it claims."""

    def __init__(self, router_id: str, objection: Objection, network: IPNetwork) -> None:
        super().__init__(f"{network} is refused")
        self.router_id = router_id
        self.objection = objection
        self.network = network


class CipherRefused(HandshakeError):
    """The router knows the key, and does not accept the cipher."""

    def __init__(self, router_id: str, cipher: Cipher) -> None:
        super().__init__(f"cipher {cipher.text} is refused")
        self.router_id = router_id
        self.cipher = cipher


@dataclass(frozen=True)
class SessionSecrets:
    """What a finished handshake gives one end."""

    local_index: int
    peer_index: int
    key_id: int
    send_key: bytes
    receive_key: bytes
    cipher: Cipher = Cipher.NONE


@dataclass(frozen=True, slots=True)
class StaticKey:
    """The key that an end was configured with, or that a router has derived from its own."""

    secret: bytes = field(repr=False)
    mode: KeyMode = KeyMode.SHARED
    key_id: int = 0


def _datagram(kind: Type, key_id: int, index: int, body: bytes) -> bytes:
    return wire.HEADER.pack(wire.first_byte(kind), 0, key_id, 0, index, 0, 0) + body


class Initiator:
    """One attempt of an endpoint to open a session. Repeat `hello` as it is until an answer."""

    def __init__(
        self,
        static: StaticKey,
        claim: Claim,
        index: int,
        random: Random,
        stamp: int = 0,
        present: SessionSecrets | None = None,
        cipher: Cipher = Cipher.NONE,
        token: bytes = bytes(wire.TOKEN_BYTES),
    ) -> None:
        """`stamp` is greater than any before, 64 bits, and `token` that of a RETRY.

        `present` is the session that the new one is to succeed, where there is one.
        """
        self._static = static
        self._claim = claim
        self._cipher = cipher
        self._index = index
        self._present = present
        self._private = X25519PrivateKey.from_private_bytes(random(32))
        self._nonce = random(wire.NONCE_BYTES)
        self._tag_key = keys.hello_key(static.secret)
        hello = Hello(
            sender_index=index,
            nonce=self._nonce,
            public=self._private.public_key().public_bytes_raw(),
            claim=claim,
            cipher=cipher,
            key_mode=static.mode,
            stamp=stamp,
            token=token,
        )
        if present is not None:
            key = keys.succession_key(present.send_key, present.receive_key)
            hello = replace(hello, proof=_proof(hello, key))
        self._signed = _datagram(Type.HELLO, static.key_id, 0, hello.encode())

    @property
    def local_index(self) -> int:
        """The session index that the router is asked to address."""
        return self._index

    def hello(self) -> bytes:
        """The HELLO datagram."""
        return self._signed + self._tag_key.tag(self._signed)

    def finish(self, datagram: bytes) -> tuple[HelloAck, SessionSecrets]:
        """The session that a HELLO_ACK opens.

        Raises BadTag, ClaimRefused, CipherRefused, HandshakeError.
        """
        signed = self._proven(datagram)
        try:
            ack = HelloAck.decode(signed[wire.HEADER_BYTES :])
        except wire.Malformed as error:
            raise HandshakeError(str(error)) from None
        if ack.echo != self._nonce:
            raise HandshakeError("HELLO_ACK answers another HELLO")
        if ack.sender_index == 0:
            raise self._refused(ack)
        if ack.cipher is not self._cipher:
            raise HandshakeError(f"HELLO_ACK states cipher {ack.cipher.text}")
        shared = _exchange(self._private, ack.public)
        to_router, to_endpoint = keys.session_keys(
            self._static.secret,
            shared,
            self._nonce + ack.nonce,
            hashlib.sha256(self._signed + signed).digest(),
        )
        return ack, SessionSecrets(
            local_index=self._index,
            peer_index=ack.sender_index,
            key_id=self._static.key_id,
            send_key=to_router,
            receive_key=to_endpoint,
            cipher=self._cipher,
        )

    def again(self, datagram: bytes, stamp: int, random: Random) -> Initiator:
        """The attempt that a RETRY asks for. Raises BadTag, HandshakeError."""
        try:
            retry = Retry.decode(self._proven(datagram)[wire.HEADER_BYTES :])
        except wire.Malformed as error:
            raise HandshakeError(str(error)) from None
        if retry.echo != self._nonce:
            raise HandshakeError("RETRY answers another HELLO")
        return Initiator(
            self._static,
            self._claim,
            self._index,
            random,
            stamp,
            self._present,
            self._cipher,
            retry.token,
        )

    def _proven(self, datagram: bytes) -> bytes:
        """What stands before its tag. Raises BadTag."""
        signed, tag = datagram[: -wire.TAG_BYTES], datagram[-wire.TAG_BYTES :]
        if not self._tag_key.verify(tag, signed):
            raise BadTag(f"an answer of {len(datagram)} bytes")
        return signed

    def _refused(self, ack: HelloAck) -> HandshakeError:
        try:
            objection, item = wire.decode_refusal(ack.public)
            if objection is Objection.CIPHER:
                return CipherRefused(ack.router_id, self._cipher)
            return ClaimRefused(ack.router_id, objection, self._claim.networks[item])
        except (wire.Malformed, IndexError):
            return HandshakeError("HELLO_ACK refuses nothing that was claimed")


@dataclass(frozen=True)
class Identity:
    """What a router says of itself in every HELLO_ACK."""

    router_id: str
    tun_ipv4: ipaddress.IPv4Address | None
    tun_ipv6: ipaddress.IPv6Address | None


@dataclass(frozen=True)
class Offer:
    """A HELLO whose tag has verified.

    `static` is the endpoint's key, and `held` the router's own that it was checked with:
    the same in shared mode, the master key in device mode.
    """

    hello: Hello
    signed: bytes
    static: StaticKey
    held: StaticKey
    tag_key: keys.TagKey


class Responder:
    """The router's side; `masters` maps key ids to PSKs (in device mode: master keys)."""

    def __init__(
        self, identity: Identity, masters: dict[int, bytes], modes: frozenset[KeyMode]
    ) -> None:
        self._identity = identity
        self.masters = masters
        self._modes = modes
        self._shared = {key_id: keys.hello_key(master) for key_id, master in masters.items()}

    def accepts(self, held: StaticKey) -> bool:
        """Whether a HELLO that was checked with the key `held` would be taken now."""
        return held.mode in self._modes and self.masters.get(held.key_id) == held.secret

    def held(self) -> list[StaticKey]:
        """The keys that HELLOs are checked with now."""
        return [
            StaticKey(master, mode, key_id)
            for key_id, master in self.masters.items()
            for mode in sorted(self._modes)
        ]

    def check(self, datagram: bytes) -> Offer:
        """Verify a HELLO, at the cost of one tag. Raises BadTag, ModeRefused, HandshakeError."""
        if len(datagram) < wire.OVERHEAD:
            raise HandshakeError("HELLO is too short")
        signed, tag = datagram[: -wire.TAG_BYTES], datagram[-wire.TAG_BYTES :]
        key_id = signed[2]
        try:
            hello = Hello.decode(signed[wire.HEADER_BYTES :])
        except wire.Malformed as error:
            raise HandshakeError(str(error)) from None
        master = self.masters.get(key_id)
        if master is None:
            raise BadTag(f"HELLO names key {key_id}, which is not held here")
        if hello.key_mode is KeyMode.DEVICE:
            secret = keys.device_key(master, hello.claim, key_id)
            tag_key = keys.hello_key(secret)
        else:
            secret, tag_key = master, self._shared[key_id]
        if not tag_key.verify(tag, signed):
            raise BadTag("HELLO")
        if hello.key_mode not in self._modes:
            raise ModeRefused(hello)
        return Offer(
            hello,
            signed,
            static=StaticKey(secret, hello.key_mode, key_id),
            held=StaticKey(master, hello.key_mode, key_id),
            tag_key=tag_key,
        )

    def retry(self, offer: Offer, token: bytes) -> bytes:
        """The RETRY that asks for a HELLO with this token."""
        index, body = offer.hello.sender_index, Retry(offer.hello.nonce, token).encode()
        signed = _datagram(Type.RETRY, offer.static.key_id, index, body)
        return signed + offer.tag_key.tag(signed)

    def refuse(self, offer: Offer, objection: Objection, item: int, flags: RouterFlag) -> bytes:
        """The HELLO_ACK that offers no session; `item` as in `wire.encode_refusal`."""
        ack = HelloAck(
            sender_index=0,
            nonce=bytes(wire.NONCE_BYTES),
            public=wire.encode_refusal(objection, item),
            echo=offer.hello.nonce,
            router_id=self._identity.router_id,
            tun_ipv4=self._identity.tun_ipv4,
            tun_ipv6=self._identity.tun_ipv6,
            cipher=offer.hello.cipher,
            flags=flags,
        )
        index = offer.hello.sender_index
        signed = _datagram(Type.HELLO_ACK, offer.static.key_id, index, ack.encode())
        return signed + offer.tag_key.tag(signed)

    def accept(
        self, offer: Offer, index: int, flags: RouterFlag, random: Random
    ) -> tuple[bytes, SessionSecrets]:
        """The HELLO_ACK to send and the session that it offers. Raises HandshakeError."""
        private = X25519PrivateKey.from_private_bytes(random(32))
        nonce = random(wire.NONCE_BYTES)
        hello = offer.hello
        ack = HelloAck(
            sender_index=index,
            nonce=nonce,
            public=private.public_key().public_bytes_raw(),
            echo=hello.nonce,
            router_id=self._identity.router_id,
            tun_ipv4=self._identity.tun_ipv4,
            tun_ipv6=self._identity.tun_ipv6,
            cipher=hello.cipher,
            flags=flags,
        )
        shared = _exchange(private, hello.public)
        signed = _datagram(Type.HELLO_ACK, offer.static.key_id, hello.sender_index, ack.encode())
        to_router, to_endpoint = keys.session_keys(
            offer.static.secret,
            shared,
            hello.nonce + nonce,
            hashlib.sha256(offer.signed + signed).digest(),
        )
        secrets = SessionSecrets(
            local_index=index,
            peer_index=hello.sender_index,
            key_id=offer.static.key_id,
            send_key=to_endpoint,
            receive_key=to_router,
            cipher=hello.cipher,
        )
        return signed + offer.tag_key.tag(signed), secrets


def succession_key(secrets: SessionSecrets) -> bytes:
    """What a router checks the proof of a HELLO with, of a session of its own."""
    return keys.succession_key(secrets.receive_key, secrets.send_key)


def proves(hello: Hello, succession: bytes) -> bool:
    """Whether a HELLO comes from who has the session with this `succession_key`."""
    return hmac.compare_digest(hello.proof, _proof(hello, succession))


def _proof(hello: Hello, succession: bytes) -> bytes:
    return hmac.digest(succession, hello.nonce + hello.public, "sha256")


def warm_up() -> None:
    """One handshake with nobody: what the library loads at first use takes some 5 ms."""
    identity = Identity("nobody", ipaddress.IPv4Address("192.0.2.1"), None)
    key = StaticKey(bytes(32))
    claim = Claim(identity.router_id, identity.tun_ipv4, identity.tun_ipv6)
    initiator = Initiator(key, claim, 1, bytes)
    responder = Responder(identity, {key.key_id: key.secret}, frozenset({key.mode}))
    offer = responder.check(initiator.hello())
    initiator.finish(responder.accept(offer, 1, RouterFlag(0), bytes)[0])


def _exchange(private: X25519PrivateKey, public: bytes) -> bytes:
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        raise HandshakeError("the peer's public key is of low order") from None
