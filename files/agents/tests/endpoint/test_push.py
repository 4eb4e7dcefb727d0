"""What an endpoint takes of a push, held against its own file and its host."""

from __future__ import annotations

import base64
import ipaddress
from typing import Any

import pytest

from nrs.config.loader import ConfigError, build
from nrs.config.overlay import OverlayRefused
from nrs.endpoint import push
from nrs.endpoint.config import NetworkAccessEndpointConfig

NAMED = {ipaddress.IPv4Address("172.16.3.3"): "the address of routers: router_3"}
LAN = [(ipaddress.IPv4Network("172.16.5.0/24"), "eth0")]
FILE: dict[str, Any] = {
    "endpoint": {"endpoint_id": "e", "name": "e"},
    "tunnel": {
        "psk": base64.b64encode(bytes(range(32))).decode(),
        "tun_ipv4": "10.10.100.1",
        "tun_ipv6": "fd00:100::1",
        "routes": ["198.51.100.0/24"],
    },
    "routers": [
        {"router_id": "router_1", "external_ip": "172.16.1.1"},
        {"router_id": "router_2", "external_ip": "2001:db8::2", "bind_address": "2001:db8::9"},
        {"router_id": "router_3", "host": "router3.example.net"},
    ],
    "load_balancer": {"url": "http://172.16.2.1:8080"},
    "network_controller": {"url": "http://[2001:db8:c::1]:8090"},
    "push": {
        "routes_within": ["172.16.0.0/12", "2001:db8::/32"],
        "routes_never": ["172.16.9.0/24"],
    },
}


def pushed(over: dict[str, Any], **sections: dict[str, Any]) -> NetworkAccessEndpointConfig:
    data = {**FILE, **sections}
    config = build(data, NetworkAccessEndpointConfig, "file")
    return build(push.lay(config, data, over, LAN, NAMED), NetworkAccessEndpointConfig, "both")


def refused(over: dict[str, Any], **sections: dict[str, Any]) -> str:
    with pytest.raises(OverlayRefused) as raised:
        pushed(over, **sections)
    return f"{raised.value.field}: {raised.value}"


def routes(*texts: Any) -> dict[str, Any]:
    return {"tunnel": {"routes": list(texts)}}


def test_routes_inside_of_what_the_file_says() -> None:
    wanted = ["172.16.7.0/24", " 2001:db8:7::/48 ", "198.51.100.0/24"]
    found = pushed(routes(*wanted)).tunnel.routes
    assert [str(route) for route in found] == [text.strip() for text in wanted]
    assert pushed(routes()).tunnel.routes == []


@pytest.mark.parametrize(
    ("route", "why"),
    [
        ("0.0.0.0/0", "0.0.0.0/0 is outside of push.routes_within"),
        (" 0.0.0.0/0", "0.0.0.0/0 is outside of push.routes_within"),
        ("172.0.0.0/8", "172.0.0.0/8 is outside of push.routes_within"),
        ("198.51.100.0/25", "198.51.100.0/25 is outside of push.routes_within"),
        (
            "172.16.2.0/24",
            "172.16.2.0/24 overlaps with 172.16.2.1/32, the address of load_balancer",
        ),
        (
            "172.16.2.1/32",
            "172.16.2.1/32 overlaps with 172.16.2.1/32, the address of load_balancer",
        ),
        (
            "2001:db8:c::/48",
            "2001:db8:c::/48 overlaps with 2001:db8:c::1/128, the address of network",
        ),
        (
            "172.16.1.0/30",
            "172.16.1.0/30 overlaps with 172.16.1.1/32, the address of routers: router_1",
        ),
        (
            "2001:db8::/64",
            "2001:db8::/64 overlaps with 2001:db8::2/128, the address of routers: rou",
        ),
        (
            "172.16.3.0/24",
            "172.16.3.0/24 overlaps with 172.16.3.3/32, the address of routers: router_3",
        ),
        (
            "172.16.9.128/25",
            "172.16.9.128/25 overlaps with 172.16.9.0/24, one of push.routes_never",
        ),
        ("172.16.8.0/23", "172.16.8.0/23 overlaps with 172.16.9.0/24, one of push.routes_never"),
        ("172.16.5.7/32", "172.16.5.7/32 overlaps with 172.16.5.0/24, which eth0 is connected to"),
        ("172.16.0.0/12", "172.16.0.0/12 overlaps with 172.16.9.0/24, one of push.routes_never"),
    ],
)
def test_a_route_that_would_take_something_away(route: str, why: str) -> None:
    assert refused(routes("172.16.7.0/24", route)).startswith(f"tunnel.routes[1]: {why}")


def test_without_anything_in_the_file_no_route_is_pushed_but_its_own() -> None:
    assert refused(routes("172.16.7.0/24"), push={}).endswith("is outside of push.routes_within")
    assert len(pushed(routes("198.51.100.0/24"), push={}).tunnel.routes) == 1


@pytest.mark.parametrize(
    "wrong", [5, "172.16.7.0/24", ["here"], [5], [["172.16.7.0/24"]], {"a": 1}]
)
def test_what_are_no_routes_is_refused_as_in_a_file(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"tunnel\.routes"):
        pushed({"tunnel": {"routes": wrong}})


def test_routers_are_chosen_among_those_of_the_file() -> None:
    wanted = [{"router_id": "router_3"}, {"router_id": "router_2"}]
    found = pushed({"routers": wanted}).routers
    assert [router.place for router in found] == ["router3.example.net", "2001:db8::2"]
    assert str(found[1].bind_address) == "2001:db8::9"


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (
            [{"router_id": "mine"}],
            "routers[0].router_id: is none of those that may be chosen: router_1",
        ),
        (
            [{"router_id": ["router_1"]}],
            "routers[0].router_id: is none of those that may be chosen",
        ),
        (
            [{"router_id": "router_1", "external_ip": "192.0.2.66"}],
            "routers[0]: a pushed router has a router_id and nothing else",
        ),
        (["router_1"], "routers[0]: a pushed router has a router_id and nothing else"),
        ({"router_id": "router_1"}, "routers: must be a list"),
        (None, "routers: must be a list"),
    ],
)
def test_another_router_or_another_address_is_refused(wanted: Any, said: str) -> None:
    assert refused({"routers": wanted}).startswith(said)


def test_the_file_says_which_routers() -> None:
    one = {"routers": ["router_2", "router_9"]}
    assert len(pushed({"routers": [{"router_id": "router_2"}]}, push=one).routers) == 1
    assert refused({"routers": [{"router_id": "router_1"}]}, push=one) == (
        "routers[0].router_id: is none of those that may be chosen: router_2"
    )
    none = {"routers": [{"router_id": "router_1"}]}
    assert refused(none, push={"routers": []}).endswith("may be chosen: none")


def test_no_push_makes_endpoints_ask_all_the_time() -> None:
    assert pushed({"load_balancer": {"poll_interval": 1.0}}).load_balancer.poll_interval == 1
    assert refused({"load_balancer": {"poll_interval": 0.9}}) == (
        "load_balancer.poll_interval: a pushed one is at least 1 s"
    )


def test_the_rest_of_the_list() -> None:
    found = pushed(
        {
            "endpoint": {"log_level": "debug"},
            "load_balancer": {"use": False},
            "tunnel": {"keepalive_interval": 5},
        }
    )
    assert (found.endpoint.log_level, found.load_balancer.use) == ("debug", False)
    assert found.tunnel.keepalive_interval == 5
    assert refused({"tunnel": {"psk": "x"}}).startswith("tunnel.psk: is not pushed; what is: ")
