"""Changes by messages to the kernel, and the messages."""

from __future__ import annotations

import errno
import struct
import sys
from collections.abc import Iterator

import pytest

from testbed import link, netlink
from testbed.command import run
from testbed.failed import Failed
from testbed.namespace import Namespace
from testbed.netlink import Netlink

NATIVE = "<" if sys.byteorder == "little" else ">"


@pytest.fixture
def told(near: Namespace) -> Iterator[Netlink]:
    made = Netlink(near)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("address", "family", "prefix", "packed"),
    [
        ("192.0.2.2/30", 2, 30, bytes([192, 0, 2, 2])),
        ("2001:db8::2/64", 10, 64, bytes.fromhex("20010db8" + "00" * 11 + "02")),
    ],
)
def test_an_address_is_removed_by_a_message_of_rtnetlink(
    address: str, family: int, prefix: int, packed: bytes
) -> None:
    message = netlink.delete_address(7, address)
    size, kind, flags, _, _ = struct.unpack_from(f"{NATIVE}IHHII", message)
    assert (size, kind, flags) == (len(message), 21, 5)
    assert struct.unpack_from(f"{NATIVE}BBBBI", message, 16) == (family, prefix, 0, 0, 7)
    attribute = struct.pack(f"{NATIVE}HH", 4 + len(packed), 2) + packed
    assert message[24 : 24 + len(attribute)] == attribute


def test_a_link_goes_down_and_up(near: Namespace, told: Netlink) -> None:
    near.batch([link.bridge("br0")])
    for up in (True, False, True):
        told.set_link("br0", up=up)
        (shown,) = near.ip_json("link", "show", "br0")
        assert ("UP" in shown["flags"]) == up


@pytest.mark.parametrize("address", ["192.0.2.2/30", "2001:db8::2/64"])
def test_an_address_goes_and_others_stay(near: Namespace, told: Netlink, address: str) -> None:
    near.batch([link.bridge("br0"), *link.up("br0", [address, "198.51.100.1/24"])])
    told.remove_address("br0", address)
    shown = near.ip_json("address", "show", "br0", "scope", "global")
    found = [info["local"] for each in shown for info in each.get("addr_info", ()) if info]
    assert found == ["198.51.100.1"]
    with pytest.raises(OSError) as refused:
        told.remove_address("br0", address)
    assert refused.value.errno == errno.EADDRNOTAVAIL


def test_a_script_of_nftables_is_done_whole_or_not_at_all(near: Namespace, told: Netlink) -> None:
    told.nft("add table inet one\nadd chain inet one x\n")
    with pytest.raises(Failed, match=r"^nft: Error: Could not process rule"):
        told.nft("add table inet two\nadd rule inet no_such x drop\n")
    assert run(near.enter("nft", "list", "tables")) == "table inet one\n"


def test_connections_are_forgotten(near: Namespace, told: Netlink) -> None:
    told.nft(
        "add table inet one\nadd chain inet one x { type filter hook output priority 0; }\n"
        "add rule inet one x ct state new counter\n"
    )
    run(near.enter("ping", "-c", "1", "127.0.0.1"))
    count = ("cat", "/proc/sys/net/netfilter/nf_conntrack_count")
    assert int(run(near.enter(*count))) > 0
    told.forget_connections()
    assert int(run(near.enter(*count))) == 0
