"""Lines for `ip -batch`, and what becomes of them."""

from __future__ import annotations

from testbed import link
from testbed.namespace import Namespace


def test_only_ipv6_needs_to_be_told_not_to_wait() -> None:
    assert link.up("up0", ["192.0.2.2/30", "2001:db8::2/64"]) == [
        "address add 192.0.2.2/30 dev up0",
        "address add 2001:db8::2/64 dev up0 nodad",
        "link set up0 up",
    ]


def test_a_cable_between_two_namespaces(near: Namespace, far: Namespace) -> None:
    near.batch([link.cable("a0", "b0", far.name), *link.up("a0", ["2001:db8::1/64"])])
    far.batch(link.up("b0", ["2001:db8::2/64"]))
    (here,), (there,) = near.ip_json("link", "show", "a0"), far.ip_json("link", "show", "b0")
    assert here["operstate"] == there["operstate"] == "UP"
    assert near.batch([]) == 0
    (shown,) = near.ip_json("address", "show", "a0")
    own = next(info for info in shown["addr_info"] if info["local"] == "2001:db8::1")
    assert "tentative" not in own


def test_both_ends_of_one_index(near: Namespace, far: Namespace) -> None:
    near.batch([link.cable("a0", "b0", far.name, index=70)])
    found = (near.ip_json("link", "show", "a0"), far.ip_json("link", "show", "b0"))
    assert [each["ifindex"] for (each,) in found] == [70, 70]


def test_a_bridge_takes_everything(near: Namespace) -> None:
    near.batch([link.bridge("br0"), *link.up("br0", ["198.51.100.1/24"])])
    (shown,) = near.ip_json("-details", "link", "show", "br0")
    assert shown["linkinfo"]["info_kind"] == "bridge"
    assert shown["linkinfo"]["info_data"]["mcast_snooping"] == 0
    assert "UP" in shown["flags"]
