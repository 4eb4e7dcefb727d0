# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys of endpoints and routers, against the protocol's test vectors."""

from __future__ import annotations

import base64
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.nrs.network_routing.plugins.filter import (
    device_key as device_key_filters,
)
from ansible_collections.nrs.network_routing.plugins.filter import (
    router_key as router_key_filter,
)

PROTOCOL = Path(__file__).resolve().parents[4] / "docs" / "PROTOCOL.md"
PSK = base64.b64encode(bytes(range(32))).decode()
ADDRESSES = ("10.10.100.1", "fd00:10:100::1")
# The same value is in the agents' tests/tunnel/test_device_key_vector.py.
PLAIN = "8866841672f56d9ddcc237290a4a5b621b80c2aca993cee822aa9180c4cef267"


def device_key(*arguments: Any, **named: Any) -> str:
    found: str = device_key_filters.FilterModule().filters()["device_key"](*arguments, **named)
    return found


def device_keys(*arguments: Any, **named: Any) -> dict[str, str]:
    filters = device_key_filters.FilterModule().filters()
    found: dict[str, str] = filters["device_keys"](*arguments, **named)
    return found


def router_key(*arguments: Any, **named: Any) -> str:
    return router_key_filter.FilterModule().filters()["router_key"](*arguments, **named)


def test_the_protocols_vectors() -> None:
    block = PROTOCOL.read_text(encoding="utf-8").split("```json\n")[1].split("```")[0]
    vectors = json.loads(block)
    psk = base64.b64encode(bytes.fromhex(vectors["master"])).decode()
    checked = 0
    for handshake in vectors["handshakes"]:
        if handshake["key_mode"] == 1:
            claim = handshake["claim"]
            found = device_key(
                psk,
                claim["endpoint_id"],
                claim["tun_ipv4"],
                claim["tun_ipv6"],
                claim["prefixes"],
                handshake["key_id"],
                claim["generation"],
            )
            assert found == handshake["static_key"]
            checked += 1
    assert checked
    assert vectors["router_keys"]
    for one in vectors["router_keys"]:
        assert router_key(psk, one["router_id"], one["key_id"]) == one["key"]


def test_for_each_router_it_is_of_the_routers_own_key() -> None:
    routers = [
        {"router_id": "router_1"},
        {"router_id": "r-2"},
        {"router_id": "3", "holds_psk": True},
    ]
    found = device_keys(PSK, "endpoint_1", *ADDRESSES, epoch=4, routers=routers)
    assert list(found) == ["router_1", "r-2", "3"]
    for router_id in ("router_1", "r-2"):
        own = base64.b64encode(bytes.fromhex(router_key(PSK, router_id, 4))).decode()
        assert found[router_id] == device_key(own, "endpoint_1", *ADDRESSES, epoch=4)
    assert found["3"] == device_key(PSK, "endpoint_1", *ADDRESSES, epoch=4)


def test_a_router_key_is_of_the_psk_the_router_and_the_epoch() -> None:
    other = base64.b64encode(bytes(range(1, 33))).decode()
    made = {router_key(PSK, "r1"), router_key(PSK, "r2"), router_key(PSK, "r1", 1)}
    assert len(made | {router_key(other, "r1")}) == 4
    info = b"nrs v2 router" + b"r1" + bytes((1,)) + b"\1"
    extract = hmac.digest(bytes(32), bytes(range(32)), "sha256")
    assert router_key(PSK, "r1", 1) == hmac.digest(extract, info, "sha256").hex()


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"router_id": ""}, "router_id must be"),
        ({"router_id": "r 1"}, "router_id must be"),
        ({"psk": "CHANGE_ME"}, "the PSK is a placeholder"),
        ({"epoch": 256}, "epoch must be"),
    ],
)
def test_what_is_wrong_with_a_router_is_refused(changed: dict[str, Any], problem: str) -> None:
    given = {"psk": PSK, "router_id": "router_1", "epoch": 0, **changed}
    with pytest.raises(AnsibleFilterError, match="router_key: " + problem) as refused:
        router_key(**given)
    assert PSK not in str(refused.value)
    given["routers"] = [{"router_id": given.pop("router_id")}]
    with pytest.raises(AnsibleFilterError, match="device_keys: " + problem):
        device_keys(given.pop("psk"), "endpoint_1", *ADDRESSES, **given)


def test_an_endpoint_without_prefixes_in_the_first_epoch() -> None:
    assert device_key(PSK, "endpoint_1", *ADDRESSES) == PLAIN
    assert device_key(PSK + "\n", "endpoint_1", "10.10.100.1/16", "fd00:10:100:0::1/64") == PLAIN


def test_both_alphabets_and_any_length() -> None:
    key = b"\xfb\xff" * 4 + bytes(range(32))
    standard, url = base64.b64encode(key).decode(), base64.urlsafe_b64encode(key).decode()
    assert standard != url
    assert device_key(standard, "e", *ADDRESSES) == device_key(url, "e", *ADDRESSES)
    assert device_key(PSK, "e", *ADDRESSES) != device_key(standard, "e", *ADDRESSES)


def test_everything_counts() -> None:
    networks = ["10.20.0.0/16", "10.21.0.0/16"]
    other = base64.b64encode(bytes(range(1, 33))).decode()
    found = {
        device_key(PSK, "endpoint_1", *ADDRESSES),
        device_key(other, "endpoint_1", *ADDRESSES),
        device_key(PSK, "endpoint_2", *ADDRESSES),
        device_key(PSK, "endpoint_1", "10.10.100.2", ADDRESSES[1]),
        device_key(PSK, "endpoint_1", ADDRESSES[0], "fd00:10:100::2"),
        device_key(PSK, "endpoint_1", *ADDRESSES, epoch=1),
        device_key(PSK, "endpoint_1", *ADDRESSES, networks),
        device_key(PSK, "endpoint_1", *ADDRESSES, [*networks, "fd00:20::/32"]),
        device_key(PSK, "endpoint_1", *ADDRESSES, networks[:1]),
        device_key(PSK, "endpoint_1", *ADDRESSES, generation=1),
        device_key(PSK, "endpoint_1", *ADDRESSES, generation=256),
    }
    assert len(found) == 11


def test_the_order_of_networks_does_not() -> None:
    networks = ["fd00:20::/32", "10.21.0.0/16", "10.20.0.0/16"]
    ordered = device_key(PSK, "endpoint_1", *ADDRESSES, networks)
    assert device_key(PSK, "endpoint_1", *ADDRESSES, networks[::-1]) == ordered


@pytest.mark.parametrize(
    ("psk", "problem"),
    [
        ("", "32 bytes or more"),
        (None, "32 bytes or more"),
        (PSK[:-1], "32 bytes or more in base64"),
        (base64.b64encode(bytes(range(31))).decode(), "32 bytes or more"),
        ("CHANGE_ME", "placeholder"),
        (base64.b64encode(bytes(32)).decode(), "placeholder"),
    ],
)
def test_a_psk_that_the_agents_refuse_is_refused_and_not_shown(psk: Any, problem: str) -> None:
    with pytest.raises(AnsibleFilterError, match=problem) as refused:
        device_key(psk, "endpoint_1", *ADDRESSES)
    assert not psk or psk not in str(refused.value)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"endpoint_id": ""}, "endpoint_id"),
        ({"endpoint_id": "a" * 65}, "endpoint_id"),
        ({"endpoint_id": "with space"}, "endpoint_id"),
        ({"endpoint_id": "end\n"}, "endpoint_id"),
        ({"endpoint_id": "é"}, "endpoint_id"),
        ({"endpoint_id": 5}, "endpoint_id"),
        ({"tun_ipv4": "10.10.100.256"}, "tun_ipv4"),
        ({"tun_ipv4": "fd00::1"}, "tun_ipv4"),
        ({"tun_ipv4": 5}, "tun_ipv4"),
        ({"tun_ipv6": "10.10.100.1"}, "tun_ipv6"),
        ({"tun_ipv4": "", "tun_ipv6": None}, "neither tun_ipv4 nor tun_ipv6"),
        ({"prefixes": ["10.20.0.1/16"]}, "prefixes: .*host bits"),
        ({"prefixes": "10.20.0.0/16"}, "prefixes must be a list"),
        ({"prefixes": ["10.20.5.0/24", "10.20.0.0/16"]}, "10.20.0.0/16 and 10.20.5.0/24 overlap"),
        ({"prefixes": ["10.20.0.0/16", "10.20.0.0/16"]}, "overlap"),
        ({"prefixes": ["10.20.%d.0/24" % n for n in range(17)]}, "prefixes must be .* 16"),
        ({"epoch": -1}, "epoch"),
        ({"epoch": 256}, "epoch"),
        ({"epoch": "1"}, "epoch"),
        ({"epoch": True}, "epoch"),
        ({"generation": -1}, "generation"),
        ({"generation": 65536}, "generation"),
        ({"generation": "1"}, "generation"),
    ],
)
def test_what_is_no_claim_is_refused_by_name(changed: dict[str, Any], problem: str) -> None:
    claim = {"endpoint_id": "endpoint_1", "tun_ipv4": ADDRESSES[0], "tun_ipv6": ADDRESSES[1]}
    with pytest.raises(AnsibleFilterError, match=problem) as refused:
        device_key(PSK, **{**claim, **changed})
    assert "device_key" in str(refused.value)
    assert PSK not in str(refused.value)
