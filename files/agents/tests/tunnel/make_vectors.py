"""Makes the test vectors of docs/PROTOCOL.md from the code.

In files/agents: `python -m tests.tunnel.make_vectors` shows whether the document is
current, `--write` renews it. A changed vector is a changed protocol: raise the version.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from nrs.tunnel import keys, virtio, wire
from nrs.tunnel.codec.python import CODEC
from nrs.tunnel.codec.python.sealing import PythonSealer
from nrs.tunnel.codec.sealing import Check
from nrs.tunnel.drop import Drop
from nrs.tunnel.handshake import (
    Identity,
    Initiator,
    Responder,
    SessionSecrets,
    StaticKey,
    proves,
)
from nrs.tunnel.inner import Owned
from nrs.tunnel.wire import (
    ACTIVE,
    Cipher,
    Claim,
    Group,
    KeyMode,
    Objection,
    Probe,
    ProbeAck,
    RouterFlag,
    Type,
)
from tests.tunnel.carrying import batch_entry, partial, plain, sealed
from tests.tunnel.codecs import opening
from tests.tunnel.packets import ACK, CWR, FIN, PSH, TCP, UDP, SuperPacket, udp_packet
from tests.tunnel.router_key import own_key

DOCUMENT = Path(__file__).resolve().parents[4] / "docs" / "PROTOCOL.md"
_BLOCK = re.compile(r"(?<=^```json\n)(.*?)(?=^```$)", re.DOTALL | re.MULTILINE)

PSK = bytes(range(32))
ENDPOINT_PRIVATE = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
ROUTER_PRIVATE = bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
ENDPOINT_NONCE = bytes(range(0x40, 0x60))
ROUTER_NONCE = bytes(range(0x60, 0x80))
ENDPOINT_INDEX = 0x11223344
STAMP = 1_234_567_890_123_456
TOKEN = bytes(range(0xA0, 0xB0))
ROUTER_INDEX = 0x55667788
ROUTER = {"router_id": "router_1", "tun_ipv4": "10.10.1.1", "tun_ipv6": "fd00:10:1::1"}
ENDPOINT_NETWORKS = ["10.0.0.0/8", "fd00::/8"]
ENDPOINT_PREFIXES = ["192.168.7.0/24"]
PLAIN_CLAIM = {
    "endpoint_id": "endpoint_1",
    "tun_ipv4": "10.10.100.1",
    "tun_ipv6": "fd00:10:100::1",
    "prefixes": [],
    "generation": 0,
}
IPV4_CLAIM = {**PLAIN_CLAIM, "tun_ipv6": None}
SITE_CLAIM = {**PLAIN_CLAIM, "prefixes": ["10.20.0.0/16", "fd00:20::/32"], "generation": 258}

Vector = dict[str, Any]


def claim_of(fields: Vector) -> Claim:
    """The claim that a vector describes."""
    return Claim(
        fields["endpoint_id"],
        fields["tun_ipv4"] and ipaddress.IPv4Address(fields["tun_ipv4"]),
        fields["tun_ipv6"] and ipaddress.IPv6Address(fields["tun_ipv6"]),
        tuple(ipaddress.ip_network(prefix) for prefix in fields["prefixes"]),
        fields["generation"],
    )


def identity() -> Identity:
    """The router of the vectors."""
    return Identity(
        ROUTER["router_id"],
        ipaddress.IPv4Address(ROUTER["tun_ipv4"]),
        ipaddress.IPv6Address(ROUTER["tun_ipv6"]),
    )


def initiator(
    static: StaticKey,
    claim: Claim,
    present: SessionSecrets | None = None,
    cipher: Cipher = Cipher.NONE,
) -> Initiator:
    """The endpoint of the vectors."""
    stream = iter([ENDPOINT_PRIVATE, ENDPOINT_NONCE])
    return Initiator(static, claim, ENDPOINT_INDEX, lambda _: next(stream), STAMP, present, cipher)


def session_of(fields: Vector | None) -> SessionSecrets | None:
    """The session that an endpoint has when it says HELLO."""
    if fields is None:
        return None
    to_router, to_endpoint = (
        bytes.fromhex(fields[k]) for k in ("key_to_router", "key_to_endpoint")
    )
    return SessionSecrets(1, 2, 0, to_router, to_endpoint)


def handshake(
    name: str,
    mode: KeyMode,
    key_id: int,
    fields: Vector,
    flags: RouterFlag,
    present: Vector | None = None,
    cipher: Cipher = Cipher.NONE,
) -> Vector:
    """One handshake with every value on the way; `present` has the keys of the session before."""
    claim = claim_of(fields)
    device = mode is KeyMode.DEVICE
    static = StaticKey(keys.device_key(PSK, claim, key_id) if device else PSK, mode, key_id)
    one = initiator(static, claim, session_of(present), cipher)
    other = Responder(identity(), {key_id: PSK}, frozenset({mode}))
    stream = iter([ROUTER_PRIVATE, ROUTER_NONCE])
    offer = other.check(one.hello())
    answer, theirs = other.accept(offer, ROUTER_INDEX, flags, lambda _: next(stream))
    ack, ours = one.finish(answer)
    if (ours.send_key, ours.receive_key) != (theirs.receive_key, theirs.send_key):
        raise AssertionError("the ends do not agree")
    succession = None
    if present is not None:
        held = (bytes.fromhex(present[k]) for k in ("key_to_router", "key_to_endpoint"))
        succession = keys.succession_key(*held)
        if not proves(offer.hello, succession):
            raise AssertionError("the router does not take the proof")
    signed = one.hello()[: -wire.TAG_BYTES] + answer[: -wire.TAG_BYTES]
    return {
        "name": name,
        "cipher": int(cipher),
        "key_mode": int(mode),
        "key_id": key_id,
        "claim": fields,
        "claim_bytes": claim.encode().hex(),
        "static_key": static.secret.hex(),
        "present": present,
        "succession_key": None if succession is None else succession.hex(),
        "proof": offer.hello.proof.hex(),
        "hello_key": keys._hkdf(static.secret, salt=None, info=b"nrs v2 hello", length=32).hex(),
        "endpoint": {
            "index": ENDPOINT_INDEX,
            "private": ENDPOINT_PRIVATE.hex(),
            "public": offer.hello.public.hex(),
            "nonce": ENDPOINT_NONCE.hex(),
            "stamp": STAMP,
        },
        "router": {
            **ROUTER,
            "flags": int(flags),
            "index": ROUTER_INDEX,
            "private": ROUTER_PRIVATE.hex(),
            "public": ack.public.hex(),
            "nonce": ROUTER_NONCE.hex(),
        },
        "hello": one.hello().hex(),
        "hello_ack": answer.hex(),
        "x25519": one._private.exchange(X25519PublicKey.from_public_bytes(ack.public)).hex(),
        "transcript": hashlib.sha256(signed).hexdigest(),
        "key_to_router": ours.send_key.hex(),
        "key_to_endpoint": ours.receive_key.hex(),
    }


def sealer_of(key: str, index: int, sequence: int) -> PythonSealer:
    """A sealer whose next datagram has the number `sequence`."""
    sealer = CODEC.sealer(bytes.fromhex(key), index)
    sealer.sequence = sequence - 1
    return sealer


def control(
    name: str,
    key: str,
    index: int,
    sequence: int,
    kind: Type,
    *,
    flags: int = 0,
    specific: int = 0,
    body: bytes = b"",
) -> Vector:
    """One control datagram."""
    sealer = sealer_of(key, index, sequence)
    return {
        "name": name,
        "key": key,
        "index": index,
        "sequence": sequence,
        "type": int(kind),
        "flags": flags,
        "specific": specific,
        "body": body.hex(),
        "datagram": sealer.control(kind, body, flags=flags, specific=specific).hex(),
    }


def encrypted(shared: Vector) -> list[Vector]:
    """Datagrams to the router of a session with an AEAD, and what of them is encrypted."""
    cipher, key = Cipher(shared["cipher"]), shared["key_to_router"]

    def vector(name: str, sequence: int, datagram: bytes, body: bytes) -> Vector:
        return {
            "name": f"{name}, {cipher.text}",
            "cipher": int(cipher),
            "key": key,
            "index": ROUTER_INDEX,
            "sequence": sequence,
            "nonce": wire.aead_nonce(0, sequence).hex(),
            "body": body.hex(),
            "datagram": datagram.hex(),
        }

    sealer = CODEC.sealer(bytes.fromhex(key), ROUTER_INDEX, cipher=cipher)
    probe, packet = Probe(0x0102030405060708, 1452).encode(), udp_packet(b"hello")
    first = sealer.control(Type.PROBE, probe, flags=ACTIVE, specific=1)
    (second,) = sealed(CODEC, [plain(packet)], sealer)
    third = sealer.control(Type.BYE)
    return [
        vector("PROBE of an active tunnel", 1, first, probe),
        vector("DATA, UDP/IPv4", 2, second, packet),
        vector("BYE of the endpoint", 3, third, b""),
    ]


def no_session(name: str, key: str, kind: Type) -> Vector:
    """A datagram of a session that the router does not know, and its answer."""
    unknown = sealer_of(key, 0x0BADCAFE, 77).control(kind, bytes(24))
    return {
        "name": name,
        "datagram": unknown.hex(),
        "answer": wire.no_session(unknown).hex(),
    }


def frame(written: bytes) -> Vector:
    """A frame in words: the virtio-net header is in host byte order and cannot be quoted."""
    flags, gso, _, gso_size, start, offset = virtio.HEADER.unpack_from(written)
    names = {virtio.GSO_NONE: "none", virtio.GSO_TCP4: "tcp4", virtio.GSO_TCP6: "tcp6"}
    return {
        "partial_checksum": bool(flags & virtio.NEEDS_CHECKSUM),
        "gso": names.get(gso & ~virtio.GSO_ECN, "udp"),
        "ecn": bool(gso & virtio.GSO_ECN),
        "gso_size": gso_size,
        "checksum_start": start,
        "checksum_offset": offset,
        "packet": written[virtio.HEADER_BYTES :].hex(),
    }


def deliver(key: str, train: list[bytes]) -> list[Vector]:
    """The frames that a router writes for datagrams of one train."""
    claim = claim_of(PLAIN_CLAIM)
    owned = Owned([address.packed for address in claim.addresses])
    opener = CODEC.opener(bytes.fromhex(key), ROUTER_INDEX, owned, Check.SOURCE)
    frames = opening(CODEC)
    each = max(map(len, train))
    if any(len(datagram) != each for datagram in train[:-1]):
        raise AssertionError("a kernel would not coalesce these")
    whole = memoryview(bytearray(b"".join(train)))
    opened = frames.open(opener, whole, each, 0, 0)
    if opened.data != len(train) or any(opened.drops):
        raise AssertionError(f"not delivered: {opened}")
    return [frame(written) for written in frames.take()]


def data(name: str, key: str, packet: bytes, *, start: int = 0) -> Vector:
    """One DATA datagram; `start` is where the transport header of a partial checksum begins."""
    whole = partial(packet, start, 6) if start else plain(packet)
    (datagram,) = sealed(CODEC, [whole], sealer_of(key, ROUTER_INDEX, 101))
    return {
        "name": name,
        "key": key,
        "index": ROUTER_INDEX,
        "sequence": 101,
        "checksum_start": start,
        "checksum_offset": 6 if start else 0,
        "packet": packet.hex(),
        "datagram": datagram.hex(),
        "frames": deliver(key, [datagram]),
    }


def batch(key: str) -> Vector:
    """Three small packets in one datagram, the second with a partial checksum."""
    entries = [
        (udp_packet(b"one"), False),
        (udp_packet(b"two", partial=True), True),
        (udp_packet(b"three", source="fd00:10:100::1", destination="2001:db8:100::10"), False),
    ]
    frames = [partial(packet, 20, 6) if flag else plain(packet) for packet, flag in entries]
    (datagram,) = sealed(CODEC, frames, sealer_of(key, ROUTER_INDEX, 201))
    return {
        "name": "BATCH of three",
        "key": key,
        "index": ROUTER_INDEX,
        "sequence": 201,
        "entries": [{"packet": p.hex(), "partial_checksum": flag} for p, flag in entries],
        "datagram": datagram.hex(),
        "frames": deliver(key, [datagram]),
    }


def pieces(key: str) -> Vector:
    """A packet that is too long for the shortest path."""
    packet = udp_packet(bytes(range(256)) * 2, partial=True)
    sealer = sealer_of(key, ROUTER_INDEX, 251)
    sealer.limit(Cipher.NONE.least_body, settled=False)
    datagrams = sealed(CODEC, [partial(packet, 20, 6)], sealer)
    return {
        "name": "UDP/IPv4, partial checksum, bodies of 476 bytes at most",
        "key": key,
        "index": ROUTER_INDEX,
        "first_sequence": 251,
        "longest_body": Cipher.NONE.least_body,
        "checksum_start": 20,
        "checksum_offset": 6,
        "packet": packet.hex(),
        "datagrams": [datagram.hex() for datagram in datagrams],
        "frames": deliver(key, datagrams),
    }


def super_packet(name: str, key: str, whole: SuperPacket, orders: list[list[int]]) -> Vector:
    """A super-packet, its slices, and what becomes of some of them in one train."""
    slices = sealed(CODEC, [whole.frame()], sealer_of(key, ROUTER_INDEX, 301))
    return {
        "name": name,
        "key": key,
        "index": ROUTER_INDEX,
        "first_sequence": 301,
        "frame": frame(whole.frame()),
        "datagrams": [datagram.hex() for datagram in slices],
        "deliveries": [
            {"slices": order, "frames": deliver(key, [slices[n] for n in order])}
            for order in orders
        ],
    }


def super_packets(key: str) -> list[Vector]:
    """One of each kind, small enough to read."""
    v6 = {"source": "fd00:10:100::1", "destination": "2001:db8:100::10"}
    letters = b"abcdefghijklmnopqrstuvwxyz"
    return [
        super_packet(
            "TCP/IPv4, sequence number and identification about to wrap, FIN PSH CWR set",
            key,
            SuperPacket(
                TCP,
                letters,
                8,
                flags=ACK | PSH | FIN | CWR,
                sequence=2**32 - 10,
                identity=0xFFFE,
            ),
            [[0, 1, 2, 3], [0, 1], [1, 2], [3], [2, 0]],
        ),
        super_packet(
            "TCP/IPv6 with 12 bytes of options and a hop-by-hop header",
            key,
            SuperPacket(
                TCP,
                letters[:20],
                8,
                **v6,
                flags=ACK | PSH,
                tcp_options=bytes.fromhex("0101080a0000000100000002"),
                ip_extra=bytes.fromhex("0000010400000000"),
            ),
            [[0, 1, 2], [1]],
        ),
        super_packet(
            "UDP/IPv4", key, SuperPacket(UDP, letters[:20], 8, dport=53), [[0, 1, 2], [1, 2], [2]]
        ),
        super_packet(
            "UDP/IPv6", key, SuperPacket(UDP, letters[:20], 8, dport=53, **v6), [[0, 1, 2], [0, 2]]
        ),
    ]


def _changed(datagram: bytes, offset: int, value: bytes) -> bytes:
    return datagram[:offset] + value + datagram[offset + len(value) :]


def _resealed(signed: bytes, key: bytes) -> bytes:
    return signed + keys.TagKey(key).tag(signed)


class Examples:
    """Datagrams to a router, in order, and why it drops them."""

    def __init__(self, key: bytes) -> None:
        self.vectors: list[Vector] = []
        self._key = key
        self._sequence = 1000

    def add(self, name: str, datagram: bytes, reason: Drop | None) -> None:
        """One more."""
        why = None if reason is None else reason.value
        self.vectors.append({"name": name, "datagram": datagram.hex(), "reason": why})

    def sealed(
        self,
        kind: int,
        body: bytes,
        *,
        flags: int = 0,
        specific: int = 0,
        lane: int = 0,
        version: int = wire.VERSION,
    ) -> bytes:
        """A datagram with the next sequence number and a right tag."""
        self._sequence += 1
        header = wire.HEADER.pack(
            version << 4 | kind, flags, 0, lane, ROUTER_INDEX, self._sequence, specific
        )
        return _resealed(header + body, self._key)


GOOD = udp_packet(b"good")
SPOOFED = udp_packet(b"spoofed", source="10.10.100.2")


def dropped_headers(key: bytes) -> list[Vector]:
    """Wrong before a body is looked at. The first one passes."""
    ex = Examples(key)
    first = ex.sealed(Type.DATA, GOOD)
    ex.add("DATA that passes, for comparison", first, None)
    ex.add("the same again", first, Drop.REPLAY)
    whole = ex.sealed(Type.DATA, GOOD)
    ex.add("one bit of the body flipped", _changed(whole, 45, bytes((whole[45] ^ 1,))), Drop.TAG)
    ex.add("one bit of the tag flipped", whole[:-1] + bytes((whole[-1] ^ 1,)), Drop.TAG)
    ex.add("one byte less", whole[:-1], Drop.TAG)
    ex.add("one byte more", whole + b"\0", Drop.TAG)
    ex.add("51 bytes", whole[:51], Drop.MALFORMED)
    ex.add("version 1", ex.sealed(Type.DATA, GOOD, version=1), Drop.MALFORMED)
    nobody = _changed(ex.sealed(Type.DATA, GOOD), 4, bytes((1, 2, 3, 4)))
    ex.add("session index of nobody", nobody, Drop.NO_SESSION)
    ex.add("lane 1", ex.sealed(Type.DATA, GOOD, lane=1), Drop.MALFORMED)
    zero = wire.HEADER.pack(wire.first_byte(Type.DATA), 0, 0, 0, ROUTER_INDEX, 0, 0)
    ex.add("sequence number 0", _resealed(zero + GOOD, key), Drop.REPLAY)
    return ex.vectors


def dropped_bodies(key: bytes) -> list[Vector]:
    """Authentic, with a body that is wrong."""
    ex = Examples(key)
    ex._sequence = 2000
    head = SuperPacket(TCP, bytes(24), 8).packet()[:40]
    other = _changed(head, 15, b"\2")
    eight = 40 << 16 | 8
    malformed: list[tuple[str, Type, bytes, int, int]] = [
        ("DATA that is no IP packet", Type.DATA, bytes(40), 0, 0),
        ("DATA without a body", Type.DATA, b"", 0, 0),
        ("DATA whose checksum field lies behind its end", Type.DATA, GOOD, 1, 20 << 16 | 40),
        ("SEGMENT that is short and not the last", Type.SEGMENT, head + bytes(7), 1, eight),
        ("SEGMENT longer than its segment size", Type.SEGMENT, head + bytes(9), 3, eight),
        ("SEGMENT without payload", Type.SEGMENT, head, 3, eight),
        (
            "SEGMENT with a header length that does not end the TCP header",
            Type.SEGMENT,
            head + bytes(8),
            3,
            36 << 16 | 12,
        ),
        ("BATCH whose entry is cut off", Type.BATCH, batch_entry(GOOD)[:-1], 0, 1),
        ("BATCH with an entry of no length", Type.BATCH, bytes(2), 0, 1),
        ("FRAGMENT that is the only piece", Type.FRAGMENT, bytes(4) + GOOD, 0, 1 << 16 | 36),
        ("FRAGMENT that leaves nothing for the last", Type.FRAGMENT, GOOD, 0, 2 << 16 | 32),
        ("PROBE with a body of 8 bytes", Type.PROBE, bytes(8), 0, 1),
        ("PATH_PROBE without a body", Type.PATH_PROBE, b"", 0, 1),
        ("TRAIN of a group of 17", Type.TRAIN, bytes(100), 0, 17),
        ("TRAIN of no group", Type.TRAIN, bytes(100), 3, 6),
    ]
    for name, kind, body, flags, specific in malformed:
        datagram = ex.sealed(kind, body, flags=flags, specific=specific)
        ex.add(name, datagram, Drop.MALFORMED)
    spoofed: list[tuple[Type, bytes, int, int]] = [
        (Type.DATA, SPOOFED, 0, 0),
        (Type.SEGMENT, other + bytes(8), 1, eight),
        (Type.BATCH, batch_entry(SPOOFED), 0, 1),
    ]
    for kind, body, flags, specific in spoofed:
        datagram = ex.sealed(kind, body, flags=flags, specific=specific)
        ex.add(f"{kind.name} with a source that is not the session's", datagram, Drop.SOURCE)
    return ex.vectors


_CLAIM = 128
"""Where it begins in a HELLO's body."""


def retry() -> Vector:
    """The first HELLO of a claim, the question whether it was just sent, and what follows."""
    static, claim = StaticKey(PSK), claim_of(PLAIN_CLAIM)
    one = initiator(static, claim)
    router = Responder(identity(), {0: PSK}, frozenset({KeyMode.SHARED}))
    asked = router.retry(router.check(one.hello()), TOKEN)
    stream = iter([ENDPOINT_PRIVATE, ENDPOINT_NONCE])
    following = one.again(asked, STAMP + 1, lambda _: next(stream))
    return {
        "hello": one.hello().hex(),
        "token": TOKEN.hex(),
        "retry": asked.hex(),
        "next_stamp": STAMP + 1,
        "next_hello": following.hello().hex(),
    }


def dropped_handshakes(shared: Vector) -> list[Vector]:
    """HELLOs that get no answer, and what a router is not to be sent."""
    hello, hello_key = bytes.fromhex(shared["hello"]), bytes.fromhex(shared["hello_key"])
    ex = Examples(b"")
    ex.add("HELLO_ACK to a router", bytes.fromhex(shared["hello_ack"]), Drop.MALFORMED)
    ex.add("RETRY to a router", bytes.fromhex(retry()["retry"]), Drop.MALFORMED)
    ex.add("HELLO with one bit of the tag flipped", hello[:-1] + bytes((hello[-1] ^ 1,)), Drop.TAG)
    ex.add("HELLO short of 8 bytes", _resealed(hello[:-40], hello_key), Drop.MALFORMED)
    another = initiator(StaticKey(bytes(range(1, 33))), claim_of(PLAIN_CLAIM))
    ex.add("HELLO under another PSK", another.hello(), Drop.TAG)
    epoch = _resealed(_changed(hello[:-32], 2, b"\1"), hello_key)
    ex.add("HELLO under a key id that the router does not hold", epoch, Drop.TAG)
    mode = _changed(hello[:-32], wire.HEADER_BYTES + 5, b"\1")
    ex.add("HELLO with key mode 1 and the tag of mode 0", _resealed(mode, hello_key), Drop.TAG)
    rewritten = [
        ("HELLO with cipher 3", 4, b"\3"),
        ("HELLO with key mode 2", 5, b"\2"),
        (
            "HELLO with a public key of low order, and a later stamp",
            8,
            (STAMP + 1).to_bytes(8, "big") + ENDPOINT_NONCE + b"\1".ljust(32, b"\0"),
        ),
        ("HELLO with an id of no length", _CLAIM, b"\0"),
        ("HELLO with a line feed in its id", _CLAIM + 24, b"\n"),
        ("HELLO with 17 prefixes", _CLAIM + 1, b"\x11"),
    ]
    for name, offset, value in rewritten:
        signed = _changed(hello[:-32], wire.HEADER_BYTES + offset, value)
        ex.add(name, _resealed(signed, hello_key), Drop.MALFORMED)
    site = initiator(StaticKey(PSK), claim_of(SITE_CLAIM)).hello()[:-32]
    first = wire.HEADER_BYTES + _CLAIM + 24
    swapped = site[:first] + site[first + 18 : first + 36] + site[first : first + 18]
    swapped += site[first + 36 :]
    ex.add("HELLO with prefixes in another order", _resealed(swapped, hello_key), Drop.MALFORMED)
    return ex.vectors


def refusal(
    name: str,
    fields: Vector,
    objection: Objection,
    item: int,
    cipher: Cipher = Cipher.NONE,
) -> Vector:
    """A HELLO of what an endpoint may not have, and the answer."""
    one = initiator(StaticKey(PSK), claim_of(fields), cipher=cipher)
    other = Responder(identity(), {0: PSK}, frozenset({KeyMode.SHARED}))
    answer = other.refuse(other.check(one.hello()), objection, item, RouterFlag(0))
    return {
        "name": name,
        "cipher": int(cipher),
        "claim": fields,
        "objection": int(objection),
        "item": item,
        "hello": one.hello().hex(),
        "hello_ack": answer.hex(),
    }


def refusals() -> list[Vector]:
    """Of a router whose `endpoint_prefixes` are ENDPOINT_PREFIXES."""
    beyond = {**SITE_CLAIM, "prefixes": ["192.168.7.0/24", "192.168.8.0/24"]}
    return [
        refusal(
            "HELLO for an address outside of the endpoints' networks",
            {**PLAIN_CLAIM, "tun_ipv4": "203.0.113.5"},
            Objection.OUTSIDE,
            0,
        ),
        refusal(
            "HELLO for the router's own address",
            {**PLAIN_CLAIM, "tun_ipv4": ROUTER["tun_ipv4"]},
            Objection.TAKEN,
            0,
        ),
        refusal(
            "HELLO for two prefixes, one of them outside of what may be advertised",
            beyond,
            Objection.OUTSIDE,
            3,
        ),
        refusal(
            "HELLO with a cipher that the router does not accept",
            PLAIN_CLAIM,
            Objection.CIPHER,
            Cipher.CHACHA20_POLY1305,
            Cipher.CHACHA20_POLY1305,
        ),
    ]


def build() -> Vector:
    """All vectors."""
    shared = handshake("shared key", KeyMode.SHARED, 0, PLAIN_CLAIM, RouterFlag(0))
    device = handshake(
        "device key of epoch 3, two prefixes, a router that drains",
        KeyMode.DEVICE,
        3,
        SITE_CLAIM,
        RouterFlag.DRAINING,
    )
    alone = handshake(
        "device key of an endpoint without IPv6", KeyMode.DEVICE, 0, IPV4_CLAIM, RouterFlag(0)
    )
    covered = [
        handshake(
            f"shared key, {cipher.text}",
            KeyMode.SHARED,
            0,
            PLAIN_CLAIM,
            RouterFlag(0),
            cipher=cipher,
        )
        for cipher in Cipher
        if cipher
    ]
    up, down = shared["key_to_router"], shared["key_to_endpoint"]
    renewed = handshake(
        "shared key, the session of the first one is renewed",
        KeyMode.SHARED,
        0,
        PLAIN_CLAIM,
        RouterFlag(0),
        {"key_to_router": up, "key_to_endpoint": down},
    )
    stamp = 1_234_567_890_123
    return {
        "version": wire.VERSION,
        "master": PSK.hex(),
        "router_keys": [
            {"router_id": router_id, "key_id": key_id, "key": own_key(PSK, router_id, key_id).hex()}
            for router_id, key_id in (("router_1", 0), ("router_2", 3))
        ],
        "handshakes": [shared, device, renewed, alone, *covered],
        "control": [
            control(
                "PROBE of an active tunnel",
                up,
                ROUTER_INDEX,
                1,
                Type.PROBE,
                flags=ACTIVE,
                specific=1,
                body=Probe(stamp, 1452).encode(),
            ),
            control(
                "PROBE_ACK",
                down,
                ENDPOINT_INDEX,
                1,
                Type.PROBE_ACK,
                specific=1,
                body=ProbeAck(stamp, 1, 1, 1, 0).encode(),
            ),
            control(
                "PATH_PROBE of 100 bytes",
                up,
                ROUTER_INDEX,
                4,
                Type.PATH_PROBE,
                specific=7,
                body=wire.encode_path_probe(100),
            ),
            control(
                "PATH_ACK",
                down,
                ENDPOINT_INDEX,
                3,
                Type.PATH_ACK,
                specific=7,
                body=wire.encode_path_ack(100),
            ),
            control(
                "PROBE of the router: is this session in use?",
                down,
                ENDPOINT_INDEX,
                3,
                Type.PROBE,
                specific=0x0A0B0C0D,
                body=Probe(stamp, 0).encode(),
            ),
            control(
                "PROBE_ACK of the endpoint",
                up,
                ROUTER_INDEX,
                4,
                Type.PROBE_ACK,
                specific=0x0A0B0C0D,
                body=ProbeAck(stamp, 3, 3, 3, 0).encode(),
            ),
            control(
                "TRAIN: the second of six that were sent together",
                up,
                ROUTER_INDEX,
                5,
                Type.TRAIN,
                flags=Group.TRAIN,
                specific=0x00090106,
                body=bytes(100),
            ),
            control(
                "TRAIN_ACK",
                down,
                ENDPOINT_INDEX,
                4,
                Type.TRAIN_ACK,
                flags=Group.TRAIN,
                specific=0x00090106,
            ),
            control("ROLE: active", up, ROUTER_INDEX, 2, Type.ROLE, flags=ACTIVE),
            control("ROLE: standby", up, ROUTER_INDEX, 2**40, Type.ROLE),
            control("BYE of the endpoint", up, ROUTER_INDEX, 3, Type.BYE),
            control("BYE of the router", down, ENDPOINT_INDEX, 2, Type.BYE),
        ],
        "no_session": [
            no_session("PROBE of an unknown session", up, Type.PROBE),
            no_session("BYE of an unknown session", up, Type.BYE),
        ],
        "data": [
            data("DATA, UDP/IPv4", up, udp_packet(b"hello")),
            data(
                "DATA, UDP/IPv4, partial checksum",
                up,
                udp_packet(b"hello", partial=True),
                start=20,
            ),
            data(
                "DATA, UDP/IPv6, partial checksum",
                up,
                udp_packet(
                    b"hello", partial=True, source="fd00:10:100::1", destination="2001:db8:100::10"
                ),
                start=40,
            ),
        ],
        "encrypted": [vector for one in covered for vector in encrypted(one)],
        "batch": batch(up),
        "pieces": pieces(up),
        "super_packets": super_packets(up),
        "retry": retry(),
        "refusals": refusals(),
        "dropped_by_a_router": [
            *dropped_headers(bytes.fromhex(up)),
            *dropped_bodies(bytes.fromhex(up)),
            *dropped_handshakes(shared),
        ],
    }


def rendered(vectors: Vector) -> str:
    """The block of the document."""
    return json.dumps(vectors, indent=1) + "\n"


def block(text: str) -> str:
    """The one JSON block of the document. Raises ValueError."""
    found = _BLOCK.findall(text)
    if len(found) != 1:
        raise ValueError(f"{DOCUMENT.name} has {len(found)} JSON blocks and must have one")
    return str(found[0])


def main(arguments: list[str]) -> int:
    """Compare, or write."""
    text = DOCUMENT.read_text(encoding="utf-8")
    now = rendered(build())
    if block(text) == now:
        print(f"{DOCUMENT.name} is current")
        return 0
    if arguments != ["--write"]:
        print(f"{DOCUMENT.name} differs from the code; --write renews it")
        return 1
    DOCUMENT.write_text(_BLOCK.sub(lambda _: now, text), encoding="utf-8")
    print(f"{DOCUMENT.name} written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
