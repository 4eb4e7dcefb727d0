"""The vectors in docs/PROTOCOL.md, against the text's rules and against the code.

The first half reads the vectors with the standard library alone, as another
implementation would; the second half feeds them to the code.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import itertools
import json
import struct
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from nrs.router.config import RoutingServerConfig
from nrs.router.endpoints import Endpoints
from nrs.router.listening import Port
from nrs.router.machine import RouterMachine
from nrs.tunnel import inner, wire
from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.codec.sealing import Check, Sealer
from nrs.tunnel.drop import Drop
from nrs.tunnel.handshake import CipherRefused, ClaimRefused, Responder, StaticKey
from nrs.tunnel.inner import Owned
from nrs.tunnel.udp_socket import UdpSocket
from nrs.tunnel.wire import Cipher, KeyMode, Objection, Probe, ProbeAck, RouterFlag, Type
from tests.tunnel import make_vectors
from tests.tunnel.carrying import partial, plain, sealed
from tests.tunnel.codecs import CODECS, count_from, opening
from tests.tunnel.fakes import FakeLoop, FakeTun, Peers
from tests.tunnel.packets import assert_valid, sent_by_kernel, udp_packet

TEXT = make_vectors.DOCUMENT.read_text(encoding="utf-8")
VECTORS: dict[str, Any] = json.loads(make_vectors.block(TEXT))
HANDSHAKES = VECTORS["handshakes"]
SHARED = HANDSHAKES[0]
SEALED = [
    *VECTORS["control"],
    *VECTORS["data"],
    VECTORS["batch"],
    *(
        {**VECTORS["pieces"], "name": f"piece {n}", "datagram": d, "sequence": 251 + n}
        for n, d in enumerate(VECTORS["pieces"]["datagrams"])
    ),
    *(
        {**v, "name": f"{v['name']}, slice {n}", "datagram": d, "sequence": v["first_sequence"] + n}
        for v in VECTORS["super_packets"]
        for n, d in enumerate(v["datagrams"])
    ),
]
DROPPED = VECTORS["dropped_by_a_router"]


def named(vectors: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("vector", vectors, ids=lambda vector: vector["name"])


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


def test_the_document_is_current() -> None:
    """A difference is a changed protocol or one more vector: tests.tunnel.make_vectors."""
    assert make_vectors.block(TEXT) == make_vectors.rendered(make_vectors.build())


# -- by the text alone


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    prk = hmac.digest(salt or bytes(32), secret, "sha256")
    first = hmac.digest(prk, info + b"\x01", "sha256")
    return (first + hmac.digest(prk, first + info + b"\x02", "sha256"))[:length]


@named(HANDSHAKES)
def test_handshake_by_the_text(vector: dict[str, Any]) -> None:
    endpoint, router, claim = vector["endpoint"], vector["router"], vector["claim"]
    name = claim["endpoint_id"].encode()
    claim_bytes = bytes((len(name), len(claim["prefixes"])))
    claim_bytes += claim["generation"].to_bytes(2, "big")
    claim_bytes += ipaddress.ip_address(claim["tun_ipv4"] or "0.0.0.0").packed
    claim_bytes += ipaddress.ip_address(claim["tun_ipv6"] or "::").packed
    for text in claim["prefixes"]:
        network = ipaddress.ip_network(text)
        claim_bytes += bytes((network.version, network.prefixlen))
        claim_bytes += (network.network_address.packed + bytes(16))[:16]
    claim_bytes += name
    assert claim_bytes == raw(vector["claim_bytes"])

    master, key_id = raw(VECTORS["master"]), vector["key_id"]
    static = master
    if vector["key_mode"] == 1:
        static = hkdf(master, b"", b"nrs v2 device" + claim_bytes + bytes((key_id,)), 32)
    assert static == raw(vector["static_key"])
    hello_key = hkdf(static, b"", b"nrs v2 hello", 32)
    assert hello_key == raw(vector["hello_key"])

    hello = bytes((0x24, 0, key_id)) + bytes(17)
    cipher = vector["cipher"]
    hello += struct.pack("!IBBBB", endpoint["index"], cipher, vector["key_mode"], 1, 0)
    hello += endpoint["stamp"].to_bytes(8, "big")
    fresh = raw(endpoint["nonce"]) + raw(endpoint["public"])
    proof = bytes(32)
    if vector["present"] is not None:
        held = raw(vector["present"]["key_to_router"]) + raw(vector["present"]["key_to_endpoint"])
        succession = hkdf(held, b"", b"nrs v2 succession", 32)
        assert succession == raw(vector["succession_key"])
        proof = hmac.digest(succession, fresh, "sha256")
    assert proof == raw(vector["proof"])
    hello += fresh + proof + bytes(16) + claim_bytes
    hello = hello.ljust(20 + 192, b"\0")
    assert raw(vector["hello"]) == hello + hmac.digest(hello_key, hello, "sha256")

    router_id = router["router_id"].encode()
    ack = struct.pack("!BBBBIQI", 0x25, 0, key_id, 0, endpoint["index"], 0, 0)
    ack += struct.pack("!IBBBB", router["index"], cipher, 1, router["flags"], len(router_id))
    ack += raw(router["nonce"]) + raw(router["public"]) + raw(endpoint["nonce"])
    ack += ipaddress.ip_address(router["tun_ipv4"]).packed
    ack += ipaddress.ip_address(router["tun_ipv6"]).packed + router_id
    assert raw(vector["hello_ack"]) == ack + hmac.digest(hello_key, ack, "sha256")
    assert len(vector["hello_ack"]) <= len(vector["hello"])

    private = X25519PrivateKey.from_private_bytes(raw(endpoint["private"]))
    assert private.public_key().public_bytes_raw() == raw(endpoint["public"])
    shared = private.exchange(X25519PublicKey.from_public_bytes(raw(router["public"])))
    assert shared == raw(vector["x25519"])
    transcript = hashlib.sha256(hello + ack).digest()
    assert transcript == raw(vector["transcript"])
    salt = raw(endpoint["nonce"]) + raw(router["nonce"])
    okm = hkdf(shared + static, salt, b"nrs v2 session" + transcript, 64)
    assert (okm[:32], okm[32:]) == (raw(vector["key_to_router"]), raw(vector["key_to_endpoint"]))


@named(SEALED)
def test_header_and_tag_by_the_text(vector: dict[str, Any]) -> None:
    datagram = raw(vector["datagram"])
    assert datagram[-32:] == hmac.digest(raw(vector["key"]), datagram[:-32], "sha256")
    header = struct.pack("!BBIQ", 0, 0, vector["index"], vector["sequence"])
    assert datagram[2:16] == header
    assert datagram[0] >> 4 == VECTORS["version"] == 2
    assert len(datagram) <= 1452


@named(VECTORS["encrypted"])
def test_encryption_by_the_text(vector: dict[str, Any]) -> None:
    datagram = raw(vector["datagram"])
    header = struct.pack("!BBIQ", 0, 0, vector["index"], vector["sequence"])
    assert datagram[2:16] == header
    assert raw(vector["nonce"]) == bytes(3) + datagram[3:4] + datagram[8:16]
    aead = {1: AESGCM, 2: ChaCha20Poly1305}[vector["cipher"]](raw(vector["key"]))
    body = raw(vector["body"])
    assert len(datagram) == 36 + len(body)
    assert datagram[20:] == aead.encrypt(raw(vector["nonce"]), body, datagram[:20])


def test_pieces_by_the_text() -> None:
    vector = VECTORS["pieces"]
    pieces = [raw(datagram) for datagram in vector["datagrams"]]
    content = b"".join(piece[20:-32] for piece in pieces)
    place = struct.pack("!HH", vector["checksum_start"], vector["checksum_offset"])
    assert content == place + raw(vector["packet"])
    assert {len(piece) for piece in pieces[:-1]} == {vector["longest_body"] + 52}
    for number, piece in enumerate(pieces):
        assert (piece[0], piece[1]) == (0x23, 1)
        assert piece[16:20] == struct.pack("!BBH", number, len(pieces), len(content))


@named(VECTORS["super_packets"])
def test_slices_by_the_text(vector: dict[str, Any]) -> None:
    packet, size = raw(vector["frame"]["packet"]), vector["frame"]["gso_size"]
    slices = [raw(datagram) for datagram in vector["datagrams"]]
    lengths = {datagram[17] for datagram in slices}
    assert len(lengths) == 1
    head = packet[: lengths.pop()]
    assert b"".join(d[20 + len(head) : -32] for d in slices) == packet[len(head) :]
    for index, datagram in enumerate(slices):
        last = index == len(slices) - 1
        assert datagram[:2] == bytes((0x21, 3 if last else 1))
        assert datagram[16:20] == struct.pack("!BBH", index, len(head), size)
        assert datagram[20 : 20 + len(head)] == head


def kernel_frame(frame: dict[str, Any]) -> bytes:
    """A frame of the vectors with its virtio-net header."""
    kind = {"none": 0, "tcp4": 1, "tcp6": 4, "udp": 5}[frame["gso"]] | frame["ecn"] << 7
    packet, start = raw(frame["packet"]), frame["checksum_start"]
    head = 0
    if frame["gso"] != "none":
        head = start + (8 if frame["gso"] == "udp" else (packet[start + 12] >> 4) * 4)
    return (
        struct.pack(
            "=BBHHHH",
            frame["partial_checksum"],
            kind,
            head,
            frame["gso_size"],
            start,
            frame["checksum_offset"],
        )
        + packet
    )


@named(VECTORS["super_packets"])
def test_delivered_slices_are_the_packets_that_a_kernel_makes(vector: dict[str, Any]) -> None:
    whole = sent_by_kernel(kernel_frame(vector["frame"]))
    assert len(whole) == len(vector["datagrams"])
    for delivery in vector["deliveries"]:
        packets = [p for f in delivery["frames"] for p in sent_by_kernel(kernel_frame(f))]
        assert packets == [whole[n] for n in delivery["slices"]]
        for packet in packets:
            assert_valid(packet)


def test_every_type_has_a_vector() -> None:
    kinds = {raw(vector["datagram"])[0] & 15 for vector in SEALED}
    kinds |= {raw(SHARED[name])[0] & 15 for name in ("hello", "hello_ack")}
    kinds.add(raw(VECTORS["retry"]["retry"])[0] & 15)
    kinds |= {raw(vector["answer"])[0] & 15 for vector in VECTORS["no_session"]}
    assert kinds == set(Type)


def test_every_reason_that_a_datagram_can_show_has_an_example() -> None:
    reasons = {vector["reason"] for vector in DROPPED} - {None}
    assert reasons == {drop.value for drop in Drop} - {"rate", "full", "too_long", "revoked"}


# -- by the code


@named(HANDSHAKES)
def test_handshake_by_the_code(vector: dict[str, Any]) -> None:
    mode, key_id = KeyMode(vector["key_mode"]), vector["key_id"]
    static = StaticKey(raw(vector["static_key"]), mode, key_id)
    present = make_vectors.session_of(vector["present"])
    claim, cipher = make_vectors.claim_of(vector["claim"]), Cipher(vector["cipher"])
    one = make_vectors.initiator(static, claim, present, cipher)
    assert one.hello() == raw(vector["hello"])
    other = Responder(make_vectors.identity(), {key_id: raw(VECTORS["master"])}, frozenset({mode}))
    offer = other.check(raw(vector["hello"]))
    assert offer.static == static
    stream = iter([raw(vector["router"]["private"]), raw(vector["router"]["nonce"])])
    answer, theirs = other.accept(
        offer,
        vector["router"]["index"],
        RouterFlag(vector["router"]["flags"]),
        lambda _: next(stream),
    )
    assert answer == raw(vector["hello_ack"])
    ack, ours = one.finish(raw(vector["hello_ack"]))
    assert ack.flags == vector["router"]["flags"]
    for secrets, send, receive in (
        (ours, "key_to_router", "key_to_endpoint"),
        (theirs, "key_to_endpoint", "key_to_router"),
    ):
        assert (secrets.send_key, secrets.receive_key) == (raw(vector[send]), raw(vector[receive]))
        assert secrets.cipher is cipher


each_codec = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)


def sealer(codec: Codec, vector: dict[str, Any]) -> Sealer:
    made = codec.sealer(raw(vector["key"]), vector["index"])
    count_from(made, vector.get("sequence", vector.get("first_sequence", 0)) - 1)
    return made


def deliver(codec: Codec, vector: dict[str, Any], train: list[bytes]) -> list[bytes]:
    """The frames that a router writes for one train."""
    claim = make_vectors.claim_of(SHARED["claim"])
    owned = Owned([address.packed for address in claim.addresses])
    opener = codec.opener(raw(vector["key"]), vector["index"], owned, Check.SOURCE)
    frames = opening(codec)
    whole = memoryview(bytearray(b"".join(train)))
    assert sum(frames.open(opener, whole, max(map(len, train)), 0, 0).drops) == 0
    return frames.take()


@each_codec
@named(VECTORS["control"])
def test_control_by_the_code(codec: Codec, vector: dict[str, Any]) -> None:
    made = sealer(codec, vector).control(
        Type(vector["type"]),
        raw(vector["body"]),
        flags=vector["flags"],
        specific=vector["specific"],
    )
    assert made == raw(vector["datagram"])


@each_codec
@named(VECTORS["encrypted"])
def test_encryption_by_the_code(codec: Codec, vector: dict[str, Any]) -> None:
    key, cipher = raw(vector["key"]), Cipher(vector["cipher"])
    datagram, body = raw(vector["datagram"]), raw(vector["body"])
    made = codec.sealer(key, vector["index"], cipher=cipher)
    count_from(made, vector["sequence"] - 1)
    kind, flags = Type(datagram[0] & 15), datagram[1]
    specific = int.from_bytes(datagram[16:20], "big")
    assert made.control(kind, body, flags=flags, specific=specific) == datagram
    claim = make_vectors.claim_of(SHARED["claim"])
    owned = Owned([address.packed for address in claim.addresses])
    opener = codec.opener(key, vector["index"], owned, Check.SOURCE, cipher=cipher)
    opened, train = opening(codec), bytearray(datagram)
    result = opened.open(opener, memoryview(train), len(train), 0, 0)
    assert (result.authentic, result.drops) == (1, (0, 0, 0, 0))
    assert bytes(train[20:-16]) == body
    assert opened.take() == ([plain(body)] if kind is Type.DATA else [])


@each_codec
@named([*VECTORS["data"], VECTORS["batch"]])
def test_packets_by_the_code(codec: Codec, vector: dict[str, Any]) -> None:
    frames = [
        partial(raw(e["packet"]), 40 if e["packet"][0] == "6" else 20, 6)
        if e.get("partial_checksum", vector.get("checksum_start"))
        else plain(raw(e["packet"]))
        for e in vector.get("entries", [vector])
    ]
    made = sealed(codec, frames, sealer(codec, vector))
    assert made == [raw(vector["datagram"])]
    assert deliver(codec, vector, made) == [kernel_frame(frame) for frame in vector["frames"]]
    assert deliver(codec, vector, made) == frames


@each_codec
def test_pieces_by_the_code(codec: Codec) -> None:
    vector = VECTORS["pieces"]
    made = sealer(codec, vector)
    made.limit(vector["longest_body"], settled=False)
    frame = partial(raw(vector["packet"]), 20, 6)
    pieces = sealed(codec, [frame], made)
    assert pieces == [raw(datagram) for datagram in vector["datagrams"]]
    assert deliver(codec, vector, pieces) == [frame]


@each_codec
@named(VECTORS["super_packets"])
def test_super_packets_by_the_code(codec: Codec, vector: dict[str, Any]) -> None:
    made = sealed(codec, [kernel_frame(vector["frame"])], sealer(codec, vector))
    assert made == [raw(datagram) for datagram in vector["datagrams"]]
    for delivery in vector["deliveries"]:
        frames = deliver(codec, vector, [made[n] for n in delivery["slices"]])
        assert frames == [kernel_frame(frame) for frame in delivery["frames"]]


@each_codec
@named(SEALED)
def test_the_opener_takes_each_datagram_once(codec: Codec, vector: dict[str, Any]) -> None:
    claim = make_vectors.claim_of(SHARED["claim"])
    owned = Owned([address.packed for address in claim.addresses])
    opener = codec.opener(raw(vector["key"]), vector["index"], owned, Check.SOURCE)
    datagram = memoryview(bytearray(raw(vector["datagram"])))
    frames = opening(codec)
    drops = [frames.open(opener, datagram, len(datagram), 0, 0).drops for _ in range(2)]
    assert drops == [(0, 0, 0, 0), (0, 1, 0, 0)]


class NoRoutes:
    """Routes that nobody installs."""

    def add(self, *_: object) -> None: ...

    def remove(self, *_: object) -> None: ...


class Router:
    """The router of the vectors: the real engine and machine around fake devices."""

    def __init__(self, codec: Codec, ciphers: tuple[str, ...] = ("none", "aes-256-gcm")) -> None:
        stream = [raw(SHARED["router"]["private"]), raw(SHARED["router"]["nonce"])]
        indices = itertools.count(SHARED["router"]["index"])

        def random(size: int) -> bytes:
            if size == 4:
                return next(indices).to_bytes(size, "big")
            return stream.pop(0) if stream else bytes(range(size))

        router = SHARED["router"]
        config = RoutingServerConfig.model_validate(
            {
                "server": {
                    "server_id": router["router_id"],
                    "name": "Router",
                    "tunnel_id": 1,
                    "egress_interface": "eth0",
                },
                "tunnel": {
                    "psk": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
                    "tun_ipv4": router["tun_ipv4"],
                    "tun_ipv6": router["tun_ipv6"],
                    "ciphers": list(ciphers),
                    "endpoint_networks": make_vectors.ENDPOINT_NETWORKS,
                    "endpoint_prefixes": make_vectors.ENDPOINT_PREFIXES,
                },
                "load_balancer": {"url": "http://192.0.2.10:8080"},
            }
        )
        self.tun, self.loop = FakeTun(), FakeLoop()
        self.socket = UdpSocket("127.0.0.1", 0)
        self.strays = UdpSocket("127.0.0.1", 0)
        self.peers = Peers(self.socket.local_address)
        self.machine = RouterMachine(config, random, retry_secret=bytes(32))
        self.endpoints = Endpoints(
            self.machine,
            self.loop,  # type: ignore[arg-type]
            self.tun,  # type: ignore[arg-type]
            [Port(self.socket, self.strays)],
            codec,
            None,
            NoRoutes(),  # type: ignore[arg-type]
            lambda: None,
        )
        self.engine = self.endpoints.engine

    def knows(self, claim: dict[str, Any]) -> None:
        """It has believed a HELLO of this claim before."""
        known = make_vectors.claim_of(claim)
        self.machine._freshness.believe(known, make_vectors.STAMP - 1, bytes(32))

    def receive(self, datagram: bytes, *, same_peer: bool = False) -> list[str]:
        """Let it arrive; the reasons of what was dropped."""
        before = self.engine.figures.drops
        self.peers.send(datagram, same=same_peer)
        self.loop.readers[self.socket.fileno()]()
        self.peers.collect()
        after = self.engine.figures.drops
        return [reason.value for reason in Drop for _ in range(after[reason] - before[reason])]

    def close(self) -> None:
        self.tun.close()
        self.socket.close()
        self.strays.close()
        self.peers.close()

    def connect(self) -> None:
        """The handshake of the vectors and its first packet."""
        self.knows(SHARED["claim"])
        assert self.receive(raw(SHARED["hello"])) == []
        assert self.receive(raw(VECTORS["control"][0]["datagram"]), same_peer=True) == []


@pytest.fixture(params=CODECS, ids=lambda codec: codec.name)
def router(request: pytest.FixtureRequest) -> Iterator[Router]:
    router = Router(request.param)
    yield router
    router.close()


def test_a_router_asks_who_it_has_not_heard_of(router: Router) -> None:
    vector = VECTORS["retry"]
    hello, asked, following = (raw(vector[name]) for name in ("hello", "retry", "next_hello"))
    assert router.receive(hello) == []
    (answer,) = router.peers.sent
    assert (answer[:52], len(answer)) == (asked[:52], len(asked)), "but for its own token"
    assert asked[:1] + asked[4:8] == b"\x2f" + hello[20:24], "index of the sender"
    assert asked[20:68] == hello[36:68] + raw(vector["token"]), "its nonce, the token"
    key = raw(SHARED["hello_key"])
    assert asked[68:] == hmac.digest(key, asked[:68], "sha256")
    assert following[20 + 112 : 20 + 128] == raw(vector["token"])
    assert list(router.machine.devices) == []


def test_a_router_answers_as_the_vectors_say(router: Router) -> None:
    router.knows(SHARED["claim"])
    assert router.receive(raw(SHARED["hello"])) == []
    assert router.peers.sent == [raw(SHARED["hello_ack"])]
    assert router.receive(raw(SHARED["hello"]), same_peer=True) == []
    assert router.peers.sent[1] == raw(SHARED["hello_ack"])  # the very same answer
    (device,) = router.machine.devices
    assert device.current is None
    assert router.receive(raw(VECTORS["control"][0]["datagram"]), same_peer=True) == []
    assert device.current is not None
    assert device.active
    assert router.peers.sent[2] == raw(VECTORS["control"][1]["datagram"])


@each_codec
@named([handshake for handshake in HANDSHAKES if handshake["cipher"]])
def test_a_router_talks_to_an_endpoint_that_encrypts(codec: Codec, vector: dict[str, Any]) -> None:
    cipher, index = Cipher(vector["cipher"]), vector["endpoint"]["index"]
    probe, packet, bye = (v for v in VECTORS["encrypted"] if v["cipher"] == cipher)
    with closing(Router(codec, (cipher.text,))) as router:
        router.knows(vector["claim"])
        assert router.receive(raw(vector["hello"])) == []
        assert router.peers.sent == [raw(vector["hello_ack"])]
        assert router.receive(raw(probe["datagram"])) == []
        (device,) = router.machine.devices
        assert device.active
        owned = Owned([ipaddress.ip_address(vector["router"]["tun_ipv4"]).packed])
        key = raw(vector["key_to_endpoint"])
        opener = codec.opener(key, index, owned, Check.SOURCE, cipher=cipher)
        answer = bytearray(router.peers.sent[-1])
        assert len(answer) == 36 + 40
        opened = opening(codec).open(opener, memoryview(answer), len(answer), 0, 0)
        assert (opened.authentic, answer[0]) == (1, wire.first_byte(Type.PROBE_ACK))
        assert answer[20:28] == raw(probe["body"])[:8]
        assert router.receive(raw(packet["datagram"])) == []
        assert router.tun.take() == [plain(raw(packet["body"]))]
        assert router.receive(raw(packet["datagram"])) == ["replay"]
        assert router.receive(raw(bye["datagram"])) == []
        assert list(router.machine.devices) == []


@named(VECTORS["refusals"])
def test_a_router_says_what_it_refuses(router: Router, vector: dict[str, Any]) -> None:
    router.knows(vector["claim"])
    assert router.receive(raw(vector["hello"])) == ["source"]
    assert router.peers.sent == [raw(vector["hello_ack"])]
    assert len(raw(vector["hello_ack"])) <= len(raw(vector["hello"]))
    assert list(router.machine.devices) == []


@named(VECTORS["refusals"])
def test_an_endpoint_understands_what_is_refused(vector: dict[str, Any]) -> None:
    claim = make_vectors.claim_of(vector["claim"])
    static, cipher = StaticKey(raw(VECTORS["master"])), Cipher(vector["cipher"])
    one = make_vectors.initiator(static, claim, cipher=cipher)
    assert one.hello() == raw(vector["hello"])
    if vector["objection"] == Objection.CIPHER:
        with pytest.raises(CipherRefused) as denied:
            one.finish(raw(vector["hello_ack"]))
        assert denied.value.router_id == SHARED["router"]["router_id"]
        assert denied.value.cipher == vector["item"]
        return
    with pytest.raises(ClaimRefused) as refused:
        one.finish(raw(vector["hello_ack"]))
    assert int(refused.value.objection) == vector["objection"]
    assert refused.value.network == claim.networks[vector["item"]]
    assert refused.value.router_id == SHARED["router"]["router_id"]


@named(VECTORS["no_session"])
def test_a_router_says_that_it_knows_no_session(router: Router, vector: dict[str, Any]) -> None:
    router.connect()
    del router.peers.sent[:]
    assert router.receive(raw(vector["datagram"])) == ["no_session"]
    assert router.peers.sent == [raw(vector["answer"])]
    # That is no question, and gets no answer.
    assert router.receive(raw(vector["answer"])) == ["malformed"]
    assert len(router.peers.sent) == 1


def test_a_router_says_so_five_times_a_second_at_most(router: Router) -> None:
    for _ in range(50):
        router.receive(raw(VECTORS["no_session"][0]["datagram"]), same_peer=True)
    assert len(router.peers.sent) == 5


@named([v for v in VECTORS["control"][1:] if v["index"] == SHARED["router"]["index"]])
def test_a_router_acts_on_control(router: Router, vector: dict[str, Any]) -> None:
    router.connect()
    assert router.receive(raw(vector["datagram"]), same_peer=True) == []
    devices = list(router.machine.devices)
    if vector["type"] == Type.BYE:
        assert devices == []
    elif vector["type"] == Type.PROBE_ACK:
        assert devices[0].active, "it says nothing of that"
    elif vector["type"] == Type.TRAIN:
        answer, *groups = router.peers.sent[-19:]
        assert (answer[0], len(answer)) == (0x2E, 52)
        assert answer[1] == vector["flags"]
        assert answer[16:20] == struct.pack("!I", vector["specific"])
        # And three groups back: apart, in a row, in a train.
        assert [d[0] for d in groups] == [0x2D] * 18
        assert [d[1] for d in groups] == [0] * 6 + [1] * 6 + [2] * 6
        assert [len(d) for d in groups] == [152 + n for n in range(6)] + [152] * 12
        assert [d[16:20] for d in groups] == [bytes((0, 9, n, 6)) for n in range(6)] * 3
    elif vector["type"] == Type.PATH_PROBE:
        (answer,) = router.peers.sent[-1:]
        assert len(answer) == len(raw(vector["datagram"]))
        assert answer[0] == 0x2C
        assert answer[16:22] == struct.pack("!IH", vector["specific"], len(answer))
    else:
        assert devices[0].active == bool(vector["flags"])


@named([*VECTORS["data"], VECTORS["batch"]])
def test_a_router_delivers_packets(router: Router, vector: dict[str, Any]) -> None:
    router.connect()
    assert router.receive(raw(vector["datagram"])) == []
    assert router.tun.take() == [kernel_frame(frame) for frame in vector["frames"]]


def test_a_router_drops_what_the_vectors_say_it_drops(router: Router) -> None:
    router.connect()
    for vector in DROPPED:
        sent = len(router.peers.sent)
        expected = [] if vector["reason"] is None else [vector["reason"]]
        assert router.receive(raw(vector["datagram"])) == expected, vector["name"]
        answers = [wire.no_session(raw(vector["datagram"]))] * (vector["reason"] == "no_session")
        # What is authentic and the newest is challenged: is the endpoint there by now?
        said = [one for one in router.peers.sent[sent:] if one[0] != wire.first_byte(Type.PROBE)]
        assert said == answers, vector["name"]
        assert len(router.tun.take()) == (not expected), vector["name"]
    (device,) = router.machine.devices
    assert device.current is not None


def test_an_empty_datagram_is_counted(router: Router) -> None:
    assert router.receive(b"") == ["malformed"]


def test_a_replayed_hello_does_not_displace_the_session(router: Router) -> None:
    router.connect()
    (device,) = router.machine.devices
    live = device.current
    for again in range(5):
        assert router.receive(raw(SHARED["hello"]), same_peer=again > 0) == []
    assert device.current is live
    to_endpoint = udp_packet(b"x", source="198.51.100.10", destination=SHARED["claim"]["tun_ipv4"])
    assert live is not None
    assert router.machine.select(inner.flow_key(to_endpoint), 0, 0.0) == live.index


def test_a_source_that_sends_too_many_hellos(router: Router) -> None:
    hello = raw(SHARED["hello"])
    reasons = [router.receive(hello, same_peer=True) for _ in range(8)]
    assert reasons == [[]] * 5 + [["rate"]] * 3
    router.loop.clock.now += 0.06
    assert router.receive(hello, same_peer=True) == []


def test_the_address_follows_the_newest_authentic_datagram_once_it_is_validated(
    router: Router,
) -> None:
    router.connect()
    (device,) = router.machine.devices
    assert device.current is not None
    session = router.engine.sessions[device.current.index]
    key, index = raw(SHARED["key_to_router"]), SHARED["router"]["index"]
    made = CODECS[1].sealer(key, index)
    count_from(made, 50)
    older = made.control(Type.ROLE)
    newer = made.control(Type.ROLE)
    forged = bytearray(made.control(Type.ROLE))
    forged[-1] ^= 1
    there = router.peers.last
    assert router.receive(newer, same_peer=True) == []
    assert session.path.peer == there
    sent = len(router.peers.sent)
    assert router.receive(bytes(forged)) == ["tag"]
    assert router.receive(newer) == ["replay"]
    assert router.receive(older) == []
    assert session.path.candidate is None
    assert len(router.peers.sent) == sent
    assert router.receive(made.control(Type.ROLE)) == []
    assert session.path.peer == there
    (challenge,) = router.peers.sent[sent:]
    assert challenge[0] == wire.first_byte(Type.PROBE)
    answer = ProbeAck(Probe.decode(challenge[20:-32]).timestamp_us, 1, 1, 1, 0).encode()
    number = int.from_bytes(challenge[16:20], "big")
    answered = made.control(Type.PROBE_ACK, answer, specific=number)
    assert router.receive(answered, same_peer=True) == []
    assert session.path.peer == router.peers.last != there
    assert session.path.candidate is None


def test_no_flipped_bit_gets_through_a_router(router: Router) -> None:
    router.connect()
    datagram = raw(VECTORS["data"][0]["datagram"])
    for bit in range(8 * len(datagram)):
        flipped = bytearray(datagram)
        flipped[bit // 8] ^= 1 << bit % 8
        (reason,) = router.receive(bytes(flipped))
        if bit // 8 == 0:
            assert reason in {"malformed", "tag", "rate"}
        else:
            assert reason == ("no_session" if 4 <= bit // 8 < 8 else "tag")
    for length in range(1, len(datagram)):
        (reason,) = router.receive(datagram[:length])
        assert reason == ("malformed" if length < wire.OVERHEAD else "tag")
    assert router.tun.take() == []
    assert router.receive(datagram) == []
    assert len(router.tun.take()) == 1
