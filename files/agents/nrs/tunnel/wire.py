"""The datagrams of the tunnel protocol: one header, one tag, and the bodies between them.

     0               1               2               3
    +-------+-------+---------------+---------------+---------------+
    |version| type  |     flags     |    key id     |     lane      |
    +-------+-------+---------------+---------------+---------------+
    |                  receiver's session index                     |
    +---------------------------------------------------------------+
    |                                                               |
    +                        sequence number                        +
    |                                                               |
    +---------------------------------------------------------------+
    |                  four bytes that the type defines             |
    +---------------------------------------------------------------+
    |  body ...                                                     |
    +---------------------------------------------------------------+
    |  HMAC-SHA256 of header and body, 32 bytes; under an AEAD the  |
    |  body is encrypted, and its tag has 16 bytes                  |
    +---------------------------------------------------------------+

All integers are big-endian. `docs/PROTOCOL.md` is the specification.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

VERSION = 2
HEADER = struct.Struct("!BBBBIQI")
SEGMENT_HEADER = struct.Struct("!BBBBIQBBH")
HEADER_BYTES = HEADER.size
TAG_BYTES = 32
OVERHEAD = HEADER_BYTES + TAG_BYTES
"""Of a handshake's datagrams, and of a session's that has no AEAD: see `Cipher.overhead`."""
AEAD_TAG_BYTES = 16
LEAST_BYTES = HEADER_BYTES + AEAD_TAG_BYTES
"""Of any datagram."""
INNER_MTU = 1400
"""Of a TUN device that is not configured otherwise: over IPv6 it fills 1500 bytes."""
LONGEST_PACKET = 8900
"""The largest MTU that a TUN device may have."""
HEADERS4, HEADERS6 = 20 + 8, 40 + 8
"""IP and UDP, in front of a datagram."""
LEAST_DATAGRAM, SAFE_DATAGRAM = 576 - HEADERS6, 1280 - HEADERS6
"""The longest on a path that carries hardly anything, and on one that nothing is known of."""
LONGEST_DATAGRAM = 9000 - HEADERS4

NONCE_BYTES = 32
LONGEST_ID = 64
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
MOST_PREFIXES = 16
HELLO_LEAST_BODY = 192
MOST_GENERATION = 65535
TOKEN_BYTES = 16
"""Of what a RETRY gives out, and the HELLO after it brings back."""


class Type(IntEnum):
    """What a datagram is; the low four bits of the first byte."""

    DATA = 0
    SEGMENT = 1
    BATCH = 2
    FRAGMENT = 3
    HELLO = 4
    HELLO_ACK = 5
    PROBE = 6
    PROBE_ACK = 7
    ROLE = 8
    BYE = 9
    NO_SESSION = 10
    PATH_PROBE = 11
    PATH_ACK = 12
    TRAIN = 13
    TRAIN_ACK = 14
    RETRY = 15


class DataFlag(IntFlag):
    """Flags of DATA and SEGMENT."""

    PARTIAL_CHECKSUM = 0x01
    """The inner TCP or UDP checksum covers the pseudo-header only."""
    LAST = 0x02
    """This slice is the last one of its super-packet."""


class RouterFlag(IntFlag):
    """Flags of a router's HELLO_ACK, PROBE_ACK and ROLE: the state of the routing server."""

    DRAINING = 0x01
    EGRESS_DOWN = 0x02
    RESTARTING = 0x04
    """It falls silent for a moment and comes back with its sessions; what is sent waits."""


ACTIVE = 0x01
"""Flag of PROBE and an endpoint's ROLE: this tunnel carries the endpoint's new traffic."""
SETTLED = 0x02
"""Flag of PROBE: the size that it states is not being searched any more."""
NO_TRAINS = 0x04
"""Flag of PROBE: the router's trains do not arrive: it should send each datagram by itself."""
JOINED_BADLY = 0x08
"""Flag of PROBE: what the router's socket joins is damaged."""


class Group(IntEnum):
    """Flags of TRAIN and TRAIN_ACK: how a datagram was sent that tries whether trains arrive."""

    APART = 0
    """By itself, and longer than the one before."""
    ROW = 1
    """By itself, and as long as the others."""
    TRAIN = 2
    """In one send with the others."""


class Cipher(IntEnum):
    """How a session's datagrams are protected."""

    NONE = 0
    """HMAC-SHA256 over clear text."""
    AES_256_GCM = 1
    CHACHA20_POLY1305 = 2

    @property
    def text(self) -> str:
        """As in configurations and for people."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def named(cls, text: str) -> Cipher:
        """That of this `text`. Raises KeyError."""
        return cls[text.upper().replace("-", "_")]

    @property
    def tag_bytes(self) -> int:
        """Of a datagram's tag."""
        return AEAD_TAG_BYTES if self else TAG_BYTES

    @property
    def overhead(self) -> int:
        """Of a datagram: what it is longer than its body."""
        return HEADER_BYTES + self.tag_bytes

    @property
    def least_body(self) -> int:
        """Of a datagram of LEAST_DATAGRAM bytes."""
        return LEAST_DATAGRAM - self.overhead

    @property
    def safe_body(self) -> int:
        """Of one of SAFE_DATAGRAM bytes."""
        return SAFE_DATAGRAM - self.overhead

    @property
    def longest_body(self) -> int:
        """Of one of LONGEST_DATAGRAM bytes."""
        return LONGEST_DATAGRAM - self.overhead


_NONCE = struct.Struct("!IQ")


def aead_nonce(lane: int, sequence: int) -> bytes:
    """What an AEAD takes beside its key, 12 bytes; never the same twice under one key."""
    return _NONCE.pack(lane, sequence)


class KeyMode(IntEnum):
    """Which static key a HELLO is tagged with."""

    SHARED = 0
    DEVICE = 1


class Objection(IntEnum):
    """What a router has against a part of a claim, or of an offer."""

    OUTSIDE = 1
    """It is not among what the router lets endpoints have."""
    TAKEN = 2
    """It is the router's own, or something that its host reaches without a tunnel."""
    ANOTHERS = 3
    """Another endpoint has it, or a part of it."""
    CIPHER = 4
    """The router does not accept it."""
    REVOKED = 5
    """The endpoint may have nothing: its key is revoked."""


class Malformed(ValueError):
    """A body that is not what its type says."""


def first_byte(kind: Type) -> int:
    """Version and type as the first byte of the header."""
    return VERSION << 4 | kind


@dataclass(frozen=True, slots=True)
class Claim:
    """What an endpoint says it is; a device key is made for exactly one claim."""

    endpoint_id: str
    tun_ipv4: ipaddress.IPv4Address | None
    tun_ipv6: ipaddress.IPv6Address | None
    """Where an endpoint has no address of a family, the unspecified one says so in its place."""
    prefixes: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    """Networks behind the endpoint, as `in_order` has them."""
    generation: int = 0
    """Which device of this id it is: a replacement is one more, and has another key."""

    @property
    def addresses(self) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, ...]:
        """Those that it has, one or two."""
        return tuple(a for a in (self.tun_ipv4, self.tun_ipv6) if a is not None)

    @property
    def networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """All that is claimed, addresses first."""
        return (*map(ipaddress.ip_network, self.addresses), *self.prefixes)

    def encode(self) -> bytes:
        """Raises ValueError.

        `id length (1) | prefix count (1) | generation (2) | IPv4 (4) | IPv6 (16)`, then
        `prefixes (18 each) | id`.
        """
        if len(self.prefixes) > MOST_PREFIXES:
            raise ValueError(f"{len(self.prefixes)} prefixes: at most {MOST_PREFIXES}")
        if not 0 <= self.generation <= MOST_GENERATION:
            raise ValueError(f"generation {self.generation}: not 0 to {MOST_GENERATION}")
        name = _id(self.endpoint_id.encode()).encode()
        prefixes = b"".join(
            bytes((p.version, p.prefixlen)) + p.network_address.packed.ljust(16, b"\0")
            for p in self.prefixes
        )
        return (
            bytes((len(name), len(self.prefixes)))
            + self.generation.to_bytes(2, "big")
            + _packed(self.tun_ipv4, self.tun_ipv6)
            + prefixes
            + name
        )

    @classmethod
    def decode(cls, data: bytes) -> Claim:
        """The claim at the start of `data`; what follows is padding. Raises Malformed."""
        try:
            id_length, count = data[0], data[1]
            end = _CLAIM_FIXED + 18 * count + id_length
            if count > MOST_PREFIXES or len(data) < end:
                raise Malformed("too many prefixes or too short")
            prefixes = tuple(
                _prefix(data[offset : offset + 18])
                for offset in range(_CLAIM_FIXED, end - id_length, 18)
            )
            if prefixes != in_order(prefixes):
                raise Malformed("prefixes are not in order")
            generation = int.from_bytes(data[2:4], "big")
            tun_ipv4, tun_ipv6 = _stated(data[4:_CLAIM_FIXED])
            name = _id(data[end - id_length : end])
            return cls(name, tun_ipv4, tun_ipv6, prefixes, generation)
        except (IndexError, ValueError) as error:
            raise Malformed(f"claim: {error}") from None


_CLAIM_FIXED = 24


def in_order(
    prefixes: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network],
) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """As a claim has them: IPv4 first, each ascending. Raises ValueError where two overlap."""
    ordered = sorted(prefixes, key=lambda p: (p.version, int(p.network_address), p.prefixlen))
    for one, other in itertools.pairwise(ordered):
        if one.overlaps(other):
            raise ValueError(f"{one} and {other} overlap")
    return tuple(ordered)


def _id(data: bytes) -> str:
    """An identifier; what it may hold keeps logs, file names and URLs whole."""
    text = data.decode("ascii")
    if len(text) > LONGEST_ID or not _ID.fullmatch(text):
        raise Malformed("identifier")
    return text


def _packed(
    tun_ipv4: ipaddress.IPv4Address | None, tun_ipv6: ipaddress.IPv6Address | None
) -> bytes:
    """20 bytes: IPv4, IPv6, zeros for one that is absent. Raises ValueError where both are."""
    packed = (bytes(4) if tun_ipv4 is None else tun_ipv4.packed) + (
        bytes(16) if tun_ipv6 is None else tun_ipv6.packed
    )
    if not any(packed):
        raise ValueError("neither an IPv4 nor an IPv6 address")
    return packed


def _stated(data: bytes) -> tuple[ipaddress.IPv4Address | None, ipaddress.IPv6Address | None]:
    """What `_packed` made. Raises ValueError."""
    if not any(data):
        raise ValueError("neither an IPv4 nor an IPv6 address")
    four, six = data[:4], data[4:]
    return (
        ipaddress.IPv4Address(four) if any(four) else None,
        ipaddress.IPv6Address(six) if any(six) else None,
    )


def _prefix(data: bytes) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    version, length = data[0], data[1]
    if version == 4 and data[6:] == bytes(12):
        return ipaddress.IPv4Network((data[2:6], length))
    if version == 6:
        return ipaddress.IPv6Network((data[2:18], length))
    raise Malformed("prefix")


@dataclass(frozen=True)
class Hello:
    """An endpoint's offer of a session."""

    sender_index: int
    nonce: bytes
    public: bytes
    claim: Claim
    cipher: Cipher = Cipher.NONE
    key_mode: KeyMode = KeyMode.SHARED
    lanes: int = 1
    proof: bytes = bytes(TAG_BYTES)
    """That it comes from who has the session in use; zeros from one that has none."""
    stamp: int = 0
    """64 bits, greater than in any HELLO of this claim before it."""
    token: bytes = bytes(TOKEN_BYTES)
    """Of the RETRY that it answers; zeros where it answers none."""

    _FIXED = struct.Struct("!IBBBxQ32s32s32s16s")

    def encode(self) -> bytes:
        """The body, padded so that no HELLO_ACK is longer than its HELLO."""
        fixed = self._FIXED.pack(
            self.sender_index,
            self.cipher,
            self.key_mode,
            self.lanes,
            self.stamp,
            self.nonce,
            self.public,
            self.proof,
            self.token,
        )
        return (fixed + self.claim.encode()).ljust(HELLO_LEAST_BODY, b"\0")

    @classmethod
    def decode(cls, body: bytes) -> Hello:
        """Raises Malformed."""
        if len(body) < HELLO_LEAST_BODY:
            raise Malformed("HELLO is too short")
        index, cipher, mode, lanes, stamp, nonce, public, proof, token = cls._FIXED.unpack_from(
            body
        )
        try:
            return cls(
                sender_index=index,
                nonce=nonce,
                public=public,
                claim=Claim.decode(body[cls._FIXED.size :]),
                cipher=Cipher(cipher),
                key_mode=KeyMode(mode),
                lanes=lanes,
                proof=proof,
                stamp=stamp,
                token=token,
            )
        except ValueError as error:
            raise Malformed(f"HELLO: {error}") from None


@dataclass(frozen=True)
class HelloAck:
    """A routing server's answer; `echo` is the nonce of the HELLO it answers.

    With a `sender_index` of 0 it offers no session, and `public` is a refusal.
    """

    sender_index: int
    nonce: bytes
    public: bytes
    echo: bytes
    router_id: str
    tun_ipv4: ipaddress.IPv4Address | None
    tun_ipv6: ipaddress.IPv6Address | None
    cipher: Cipher = Cipher.NONE
    lanes: int = 1
    flags: RouterFlag = field(default=RouterFlag(0))

    _FIXED = struct.Struct("!IBBBB32s32s32s20s")

    def encode(self) -> bytes:
        """The body."""
        name = self.router_id.encode()
        fixed = self._FIXED.pack(
            self.sender_index,
            self.cipher,
            self.lanes,
            self.flags,
            len(name),
            self.nonce,
            self.public,
            self.echo,
            _packed(self.tun_ipv4, self.tun_ipv6),
        )
        return fixed + name

    @classmethod
    def decode(cls, body: bytes) -> HelloAck:
        """Raises Malformed."""
        try:
            index, cipher, lanes, flags, length, nonce, public, echo, addresses = (
                cls._FIXED.unpack_from(body)
            )
            name = body[cls._FIXED.size : cls._FIXED.size + length]
            if len(name) != length:
                raise Malformed("router id is cut off")
            tun_ipv4, tun_ipv6 = _stated(addresses)
            return cls(
                sender_index=index,
                nonce=nonce,
                public=public,
                echo=echo,
                router_id=_id(name),
                tun_ipv4=tun_ipv4,
                tun_ipv6=tun_ipv6,
                cipher=Cipher(cipher),
                lanes=lanes,
                flags=RouterFlag(flags),
            )
        except (struct.error, ValueError) as error:
            raise Malformed(f"HELLO_ACK: {error}") from None


@dataclass(frozen=True)
class Retry:
    """A routing server's question whether a HELLO has just been sent, and from where it came."""

    echo: bytes
    """The nonce of that HELLO."""
    token: bytes
    """What the next one is to bring."""

    def encode(self) -> bytes:
        """The body."""
        return self.echo + self.token

    @classmethod
    def decode(cls, body: bytes) -> Retry:
        """Raises Malformed."""
        if len(body) != NONCE_BYTES + TOKEN_BYTES:
            raise Malformed("RETRY")
        return cls(body[:NONCE_BYTES], body[NONCE_BYTES:])


def encode_refusal(objection: Objection, item: int) -> bytes:
    """What stands in a HELLO_ACK that offers no session, in place of the public key.

    `item` tells which of `Claim.networks` the router objects to, or which cipher.
    """
    return bytes((objection, item)).ljust(32, b"\0")


def decode_refusal(public: bytes) -> tuple[Objection, int]:
    """Raises Malformed."""
    try:
        return Objection(public[0]), public[1]
    except ValueError:
        raise Malformed("refusal") from None


@dataclass(frozen=True)
class ProbeAck:
    """The answer to a PROBE; its number stands in the header."""

    timestamp_us: int
    """The PROBE's own time stamp, returned."""
    highest: int
    """Highest sequence number received on the PROBE's lane."""
    received: int
    """Datagrams received on the PROBE's lane."""
    confirmed: int
    """Sequence number up to which datagrams are known to have got through beyond the router."""
    path_probes: int
    """PATH_PROBEs received and answered in this session."""

    _BODY = struct.Struct("!QQQQQ")

    def encode(self) -> bytes:
        """The body."""
        return self._BODY.pack(
            self.timestamp_us, self.highest, self.received, self.confirmed, self.path_probes
        )

    @classmethod
    def decode(cls, body: bytes) -> ProbeAck:
        """Raises Malformed."""
        try:
            return cls(*cls._BODY.unpack(body))
        except struct.error:
            raise Malformed("PROBE_ACK") from None


def no_session(datagram: bytes | memoryview) -> bytes:
    """The NO_SESSION that answers `datagram`, of a session that is not known. It has no tag.

    It says the index and sequence number of what it answers, which a stranger does not know.
    """
    _, _, key_id, lane, index, sequence, _ = HEADER.unpack_from(datagram)
    header = HEADER.pack(first_byte(Type.NO_SESSION), 0, key_id, lane, index, sequence, 0)
    return header + bytes(TAG_BYTES)


@dataclass(frozen=True)
class Probe:
    """The question whether a tunnel is alive; its number stands in the header."""

    timestamp_us: int
    """The sender's monotonic time."""
    longest: int
    """Bytes of the longest datagram that the path carries, as far as the endpoint knows."""

    _BODY = struct.Struct("!QH30x")

    def encode(self) -> bytes:
        """The body, as long as its answer's."""
        return self._BODY.pack(self.timestamp_us, self.longest)

    @classmethod
    def decode(cls, body: bytes) -> Probe:
        """Raises Malformed."""
        try:
            return cls(*cls._BODY.unpack(body))
        except struct.error:
            raise Malformed("PROBE") from None


@dataclass(frozen=True, slots=True)
class Member:
    """Which datagram of a trial a TRAIN is, in the four bytes that its type defines."""

    trial: int
    index: int
    """In its group."""
    count: int
    """Datagrams of each group."""

    _OWN = struct.Struct("!HBB")

    def encode(self) -> int:
        """As a number."""
        return int.from_bytes(self._OWN.pack(self.trial, self.index, self.count), "big")

    @classmethod
    def decode(cls, specific: int) -> Member:
        """Raises Malformed."""
        member = cls(*cls._OWN.unpack(specific.to_bytes(4, "big")))
        if not member.index < member.count <= MOST_MEMBERS:
            raise Malformed("TRAIN")
        return member


MOST_MEMBERS = 16
_MOST_TRAIN_BODY = 1200


def train_group(group: Group, trial: int, count: int, body: int) -> Iterator[tuple[int, bytes]]:
    """What a group's TRAINs have for their type's own bytes, and their bodies, of `body` bytes."""
    for index in range(count):
        more = index if group is Group.APART else 0
        yield Member(trial, index, count).encode(), bytes(body + more)


def train_body(group: Group, member: Member, body: bytes) -> int:
    """The bytes that bodies of this trial have at least. Raises Malformed."""
    length = len(body) - (member.index if group is Group.APART else 0)
    if not 0 < length <= _MOST_TRAIN_BODY:
        raise Malformed("TRAIN")
    return length


def group_of(flags: int) -> Group:
    """Raises Malformed."""
    try:
        return Group(flags)
    except ValueError:
        raise Malformed("TRAIN") from None


_LENGTH = struct.Struct("!H")


def encode_path_probe(length: int, cipher: Cipher = Cipher.NONE) -> bytes:
    """The body of a PATH_PROBE that makes a datagram of `length` bytes."""
    return bytes(length - cipher.overhead)


def encode_path_ack(length: int, cipher: Cipher = Cipher.NONE) -> bytes:
    """The body of a PATH_ACK: the length of the datagram that it answers, and as long as that.

    Raises Malformed where that is too short to be said.
    """
    if length < cipher.overhead + _LENGTH.size:
        raise Malformed("PATH_PROBE")
    return _LENGTH.pack(length).ljust(length - cipher.overhead, b"\0")


def decode_path_ack(body: bytes, cipher: Cipher = Cipher.NONE) -> int:
    """The length of the datagram that it answers. Raises Malformed."""
    try:
        length = int(_LENGTH.unpack_from(body)[0])
    except struct.error:
        raise Malformed("PATH_ACK") from None
    if len(body) != length - cipher.overhead:
        raise Malformed("PATH_ACK")
    return length
