from __future__ import annotations

import contextlib
import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrs.tunnel import wire
from nrs.tunnel.wire import (
    Claim,
    Group,
    Hello,
    HelloAck,
    KeyMode,
    Malformed,
    Member,
    Objection,
    Probe,
    ProbeAck,
    RouterFlag,
    Type,
    decode_refusal,
    encode_refusal,
    in_order,
)

IDS = st.builds(
    str.__add__,
    st.sampled_from("aZ0"),
    st.text("abcxyzABCXYZ0189_.-", max_size=63),
)
NETWORKS4 = st.builds(
    lambda address, length: ipaddress.IPv4Network((address, length), strict=False),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)
NETWORKS6 = st.builds(
    lambda address, length: ipaddress.IPv6Network((address, length), strict=False),
    st.integers(0, 2**128 - 1),
    st.integers(0, 128),
)


def apart(networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        in_order(networks)
    except ValueError:
        return False
    return True


PREFIXES = st.lists(NETWORKS4 | NETWORKS6, max_size=3).filter(apart).map(in_order)
TUN_ADDRESSES = st.tuples(
    st.none() | st.builds(ipaddress.IPv4Address, st.integers(1, 2**32 - 1)),
    st.none() | st.builds(ipaddress.IPv6Address, st.integers(1, 2**128 - 1)),
).filter(any)
CLAIMS = st.builds(
    lambda name, addresses, prefixes: Claim(name, *addresses, prefixes),
    IDS,
    TUN_ADDRESSES,
    PREFIXES,
)
SECRET = st.binary(min_size=32, max_size=32)
INDEX = st.integers(0, 2**32 - 1)
HELLOS = st.builds(
    Hello,
    INDEX,
    SECRET,
    SECRET,
    CLAIMS,
    key_mode=st.sampled_from(KeyMode),
    lanes=st.integers(0, 9),
    proof=SECRET,
)
ACKS = st.builds(
    lambda index, nonce, public, echo, name, addresses, flags: HelloAck(
        index, nonce, public, echo, name, *addresses, flags=flags
    ),
    INDEX,
    SECRET,
    SECRET,
    SECRET,
    IDS,
    TUN_ADDRESSES,
    flags=st.integers(0, 3).map(RouterFlag),
)
CLAIM = Claim(
    "endpoint_1", ipaddress.IPv4Address("10.10.100.1"), ipaddress.IPv6Address("fd00:100::1")
)
HELLO = Hello(7, b"n" * 32, b"p" * 32, CLAIM)


def test_the_overhead_leaves_room_for_1400_bytes_in_an_ethernet_frame_over_ipv6() -> None:
    assert wire.HEADER.size == wire.SEGMENT_HEADER.size == 20
    assert wire.OVERHEAD == 52
    assert wire.INNER_MTU + wire.OVERHEAD + 8 + 40 == 1500


def test_the_two_header_layouts_are_the_same_bytes() -> None:
    fields = (0x10, 1, 2, 3, 0x04050607, 0x08090A0B0C0D0E0F)
    assert wire.HEADER.pack(*fields, 0x10111213) == wire.SEGMENT_HEADER.pack(
        *fields, 0x10, 0x11, 0x1213
    )


def test_first_bytes() -> None:
    assert {kind.name: wire.first_byte(kind) for kind in Type} == {
        "DATA": 0x20,
        "SEGMENT": 0x21,
        "BATCH": 0x22,
        "FRAGMENT": 0x23,
        "HELLO": 0x24,
        "HELLO_ACK": 0x25,
        "PROBE": 0x26,
        "PROBE_ACK": 0x27,
        "ROLE": 0x28,
        "BYE": 0x29,
        "NO_SESSION": 0x2A,
        "PATH_PROBE": 0x2B,
        "PATH_ACK": 0x2C,
        "TRAIN": 0x2D,
        "TRAIN_ACK": 0x2E,
        "RETRY": 0x2F,
    }


@given(claim=CLAIMS)
def test_a_claim_comes_back(claim: Claim) -> None:
    assert Claim.decode(claim.encode()) == claim


@given(claim=CLAIMS, padding=st.binary(max_size=8))
def test_what_follows_a_claim_is_padding(claim: Claim, padding: bytes) -> None:
    assert Claim.decode(claim.encode() + padding) == claim


@given(claim=CLAIMS, data=st.data())
def test_a_claim_cut_short_is_malformed(claim: Claim, data: st.DataObject) -> None:
    encoded = claim.encode()
    with pytest.raises(Malformed):
        Claim.decode(encoded[: data.draw(st.integers(0, len(encoded) - 1))])


@given(data=st.binary(max_size=120) | st.binary(min_size=80, max_size=400).map(lambda b: b"\5" + b))
def test_a_claim_has_one_encoding(data: bytes) -> None:
    """A device key is made from the encoding, so two of them must not mean the same."""
    try:
        claim = Claim.decode(data)
    except Malformed:
        return
    assert data.startswith(claim.encode())


def with_prefix(entry: bytes) -> bytes:
    plain = CLAIM.encode()
    return plain[:1] + b"\x01" + plain[2:24] + entry + plain[24:]


@pytest.mark.parametrize(
    "entry",
    [
        bytes((4, 8, 10)).ljust(18, b"\0"),
        bytes((6, 32)) + bytes.fromhex("fd000010").ljust(16, b"\0"),
        bytes((4, 0)) + bytes(16),
        bytes((6, 0)) + bytes(16),
    ],
)
def test_good_prefixes(entry: bytes) -> None:
    assert len(Claim.decode(with_prefix(entry)).prefixes) == 1


@pytest.mark.parametrize(
    "entry",
    [
        bytes((5, 8, 10)).ljust(18, b"\0"),
        bytes((0, 0)) + bytes(16),
        bytes((4, 33)) + bytes(16),
        bytes((6, 129)) + bytes(16),
        bytes((4, 8, 10, 1)).ljust(18, b"\0"),  # host bits
        bytes((6, 16)) + b"\xfd\0\0\1".ljust(16, b"\0"),
        bytes((4, 8, 10)).ljust(17, b"\0") + b"\1",  # beyond an IPv4 address
    ],
)
def test_bad_prefixes(entry: bytes) -> None:
    with pytest.raises(Malformed):
        Claim.decode(with_prefix(entry))


@pytest.mark.parametrize(
    "name",
    [
        b"",
        b"a b",
        b"a\nb",
        b"_a",
        b".",
        b"-",
        b"caf\xc3\xa9",
        b"a/b",
        b"a" * 65,
        b"a\0",
        b"\x1b[2J",
    ],
)
def test_identifiers_that_would_break_a_log_a_file_name_or_a_url(name: bytes) -> None:
    plain = CLAIM.encode()
    with pytest.raises(Malformed):
        Claim.decode(bytes((len(name),)) + plain[1:22] + name)
    ack = HelloAck(1, b"n" * 32, b"p" * 32, b"e" * 32, "r", CLAIM.tun_ipv4, CLAIM.tun_ipv6)
    body = bytearray(ack.encode()[:-1])
    body[7] = len(name)
    with pytest.raises(Malformed):
        HelloAck.decode(bytes(body) + name)


@pytest.mark.parametrize("name", ["", "a" * 65, "a b", "é"])
def test_they_are_not_sent_either(name: str) -> None:
    with pytest.raises(ValueError, match=r"identifier|ascii"):
        Claim(name, CLAIM.tun_ipv4, CLAIM.tun_ipv6).encode()


def test_at_most_16_prefixes() -> None:
    many = tuple(ipaddress.ip_network(f"10.{number}.0.0/16") for number in range(17))
    longest = Claim("a" * 64, CLAIM.tun_ipv4, CLAIM.tun_ipv6, many[:16])
    assert Claim.decode(longest.encode()) == longest
    with pytest.raises(ValueError, match="prefixes"):
        Claim("a", CLAIM.tun_ipv4, CLAIM.tun_ipv6, many).encode()
    plain = CLAIM.encode()
    entries = b"".join(bytes((4, 16, 10, number)).ljust(18, b"\0") for number in range(17))
    with pytest.raises(Malformed):
        Claim.decode(plain[:1] + b"\x11" + plain[2:22] + entries + plain[22:])


@pytest.mark.parametrize(
    "prefixes",
    [
        ("10.21.0.0/16", "10.20.0.0/16"),
        ("fd00:20::/32", "10.20.0.0/16"),
        ("10.20.0.0/16", "10.20.0.0/16"),
        ("10.20.0.0/16", "10.20.5.0/24"),
        ("fd00::/16", "fd00:20::/32"),
    ],
)
def test_prefixes_in_another_order_or_that_overlap_are_malformed(prefixes: tuple[str, ...]) -> None:
    networks = tuple(map(ipaddress.ip_network, prefixes))
    with pytest.raises(Malformed, match=r"order|overlap"):
        Claim.decode(Claim("e", CLAIM.tun_ipv4, CLAIM.tun_ipv6, networks).encode())


def test_addresses_come_before_prefixes() -> None:
    prefixes = in_order(map(ipaddress.ip_network, ("fd00:20::/32", "10.20.0.0/16")))
    claim = Claim("e", None, CLAIM.tun_ipv6, prefixes)
    assert list(map(str, claim.networks)) == ["fd00:100::1/128", "10.20.0.0/16", "fd00:20::/32"]


@pytest.mark.parametrize("objection", Objection)
def test_a_refusal_comes_back(objection: Objection) -> None:
    public = encode_refusal(objection, 17)
    assert len(public) == 32
    assert decode_refusal(public) == (objection, 17)
    with pytest.raises(Malformed):
        decode_refusal(bytes(32))


@given(hello=HELLOS)
def test_a_hello_comes_back(hello: Hello) -> None:
    assert Hello.decode(hello.encode()) == hello


@given(ack=ACKS)
def test_a_hello_ack_comes_back(ack: HelloAck) -> None:
    assert HelloAck.decode(ack.encode()) == ack


@given(hello=HELLOS, ack=ACKS)
def test_no_hello_ack_is_longer_than_any_hello(hello: Hello, ack: HelloAck) -> None:
    assert len(ack.encode()) <= wire.HELLO_LEAST_BODY <= len(hello.encode())


def test_nor_with_the_longest_and_shortest_ids() -> None:
    hello = Hello(1, b"n" * 32, b"p" * 32, Claim("e", CLAIM.tun_ipv4, CLAIM.tun_ipv6))
    ack = HelloAck(1, b"n" * 32, b"p" * 32, b"e" * 32, "r" * 64, CLAIM.tun_ipv4, CLAIM.tun_ipv6)
    assert len(ack.encode()) <= len(hello.encode())


@given(length=st.integers(0, wire.HELLO_LEAST_BODY - 1))
def test_a_hello_cut_short_is_malformed(length: int) -> None:
    with pytest.raises(Malformed):
        Hello.decode(HELLO.encode()[:length])


@given(ack=ACKS, data=st.data())
def test_a_hello_ack_cut_short_is_malformed(ack: HelloAck, data: st.DataObject) -> None:
    body = ack.encode()
    with pytest.raises(Malformed):
        HelloAck.decode(body[: data.draw(st.integers(0, len(body) - 1))])


@pytest.mark.parametrize(("offset", "value"), [(4, 3), (4, 255), (5, 2), (5, 255)])
def test_a_hello_of_an_unknown_cipher_or_key_mode(offset: int, value: int) -> None:
    body = bytearray(HELLO.encode())
    body[offset] = value
    with pytest.raises(Malformed):
        Hello.decode(bytes(body))


def test_a_hello_ack_of_an_unknown_cipher() -> None:
    ack = HelloAck(1, b"n" * 32, b"p" * 32, b"e" * 32, "r", CLAIM.tun_ipv4, CLAIM.tun_ipv6)
    body = bytearray(ack.encode())
    body[4] = 3
    with pytest.raises(Malformed):
        HelloAck.decode(bytes(body))


@given(body=st.binary(max_size=500) | st.binary(min_size=192, max_size=600))
def test_random_bodies_are_decoded_or_malformed(body: bytes) -> None:
    for decode in (Hello.decode, HelloAck.decode, ProbeAck.decode, Probe.decode, Claim.decode):
        with contextlib.suppress(Malformed):
            decode(body)


@given(stamp=st.integers(0, 2**64 - 1), highest=st.integers(0, 2**64 - 1))
def test_probe_and_answer(stamp: int, highest: int) -> None:
    probe = Probe(stamp, 1452)
    answer = ProbeAck(stamp, highest, 3, 2, 1)
    assert Probe.decode(probe.encode()) == probe
    assert probe.encode() == struct.pack("!QH", stamp, 1452) + bytes(30)
    assert ProbeAck.decode(answer.encode()) == answer
    assert len(answer.encode()) == len(probe.encode()) == 40
    assert answer.encode() == struct.pack("!QQQQQ", stamp, highest, 3, 2, 1)


@given(length=st.integers(54, 8972))
def test_a_path_probe_and_its_answer_are_as_long_as_they_say(length: int) -> None:
    assert len(wire.encode_path_probe(length)) == length - 52
    answer = wire.encode_path_ack(length)
    assert answer == length.to_bytes(2, "big") + bytes(length - 54)
    assert wire.decode_path_ack(answer) == length
    for wrong in (answer + b"\0", answer[:-1], bytes(length - 52)):
        with pytest.raises(Malformed):
            wire.decode_path_ack(wrong)


def test_a_path_probe_that_is_too_short_to_be_answered() -> None:
    for length in (52, 53):
        with pytest.raises(Malformed):
            wire.encode_path_ack(length)


@given(st.integers(0, 65_535), st.integers(1, 16), st.integers(1, 1200), st.sampled_from(Group))
def test_what_a_trial_is_made_of(trial: int, count: int, body: int, group: Group) -> None:
    sent = list(wire.train_group(group, trial, count, body))
    for index, (specific, made) in enumerate(sent):
        assert specific == trial << 16 | index << 8 | count
        assert len(made) == body + (index if group is Group.APART else 0)
        member = Member.decode(specific)
        assert member == Member(trial, index, count)
        assert wire.train_body(group, member, made) == body
    assert len(sent) == count


@pytest.mark.parametrize("specific", [0, 0x0101, 0x0606, 0x0011, 0x1011])
def test_members_of_no_group(specific: int) -> None:
    with pytest.raises(Malformed):
        Member.decode(specific)


@pytest.mark.parametrize(("group", "length"), [(0, 0), (0, 2), (1, 0), (1, 1201), (2, 60_000)])
def test_members_that_are_too_short_or_too_long(group: int, length: int) -> None:
    with pytest.raises(Malformed):
        wire.train_body(Group(group), Member(1, 2, 6), bytes(length))
    with pytest.raises(Malformed):
        wire.group_of(3)


@pytest.mark.parametrize("length", [0, 8, 32, 39, 41])
def test_probes_of_another_length(length: int) -> None:
    with pytest.raises(Malformed):
        Probe.decode(bytes(length))
    with pytest.raises(Malformed):
        ProbeAck.decode(bytes(length))


def test_an_absent_address_is_the_unspecified_one_and_is_none_again() -> None:
    alone = Claim("endpoint_1", CLAIM.tun_ipv4, None)
    assert alone.encode()[4:24] == ipaddress.IPv4Address("10.10.100.1").packed + bytes(16)
    assert Claim.decode(alone.encode()).addresses == (CLAIM.tun_ipv4,)
    other = Claim("endpoint_1", None, CLAIM.tun_ipv6)
    assert Claim.decode(other.encode()).addresses == (CLAIM.tun_ipv6,)


def test_a_claim_of_no_address_is_neither_made_nor_read() -> None:
    with pytest.raises(ValueError, match="neither"):
        Claim("endpoint_1", None, None).encode()
    with pytest.raises(Malformed, match="neither"):
        Claim.decode(CLAIM.encode()[:4] + bytes(20) + CLAIM.encode()[24:])
    ack = HelloAck(1, b"n" * 32, b"p" * 32, b"e" * 32, "router_1", CLAIM.tun_ipv4, None).encode()
    with pytest.raises(Malformed, match="neither"):
        HelloAck.decode(ack[:104] + bytes(20) + ack[124:])
