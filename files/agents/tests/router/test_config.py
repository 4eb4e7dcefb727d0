"""What follows from a router's configuration for the claims of endpoints."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from pydantic import ValidationError

from nrs.api.messages import Registration
from nrs.router.config import RoutingServerConfig
from nrs.router.work import work_of
from nrs.system.nft_guard import Guard, Opening
from tests.router.driven import OLD, text


def config(tunnel: dict[str, Any] | None = None, **sections: Any) -> RoutingServerConfig:
    given = {
        "psk": text(OLD),
        "tun_ipv4": "192.168.7.1/24",
        "tun_ipv6": "fd00:7::1/64",
        **(tunnel or {}),
    }
    server = {"server_id": "r", "name": "r", "tunnel_id": 1, "egress_interface": "eth1"}
    balancer = {"url": "http://127.0.0.1:8080"}
    return RoutingServerConfig.model_validate(
        {"server": server, "tunnel": given, "load_balancer": balancer, **sections}
    )


def claimable(**tunnel: Any) -> list[str]:
    return list(map(str, config(tunnel).tunnel.claimable))


def test_endpoints_are_where_the_examples_have_them_and_on_the_tun_device() -> None:
    defaults = ["10.10.0.0/16", "fd00:10::/32", "fd00:100::/32"]
    assert claimable() == [*defaults, "192.168.7.0/24", "fd00:7::/64"]
    assert claimable(tun_ipv4="10.10.1.1")[-2:] == ["10.10.1.1/32", "fd00:7::/64"]


def test_what_is_listed_is_all() -> None:
    assert claimable(endpoint_networks=["10.20.0.0/16"]) == ["10.20.0.0/16"]
    with pytest.raises(ValidationError, match="at least 1"):
        config({"endpoint_networks": []})


def test_services_are_known_where_they_are_no_names() -> None:
    found = config(
        load_balancer={"url": ["http://192.0.2.10:8080", "http://lb.example:8080"]},
        network_controller={"url": "http://[2001:db8::11]:8081"},
        egress={"check_ip": "198.51.100.10", "other_check_ip": "2001:db8:100::10"},
    ).services
    assert found == {
        ipaddress.ip_address("198.51.100.10"): "egress.check_ip",
        ipaddress.ip_address("2001:db8:100::10"): "egress.other_check_ip",
        ipaddress.ip_address("192.0.2.10"): "load_balancer.url",
        ipaddress.ip_address("2001:db8::11"): "network_controller.url",
    }


def test_around_the_tun_device_nothing_is_open_by_itself() -> None:
    assert config().tunnel.guard == Guard()
    opened = config(
        {
            "protected_networks": ["203.0.113.0/24"],
            "allow_input": [{"proto": "tcp", "port": 22}],
            "client_to_client": True,
        }
    ).tunnel.guard
    network = ipaddress.IPv4Network("203.0.113.0/24")
    assert opened == Guard((network,), (Opening("tcp", 22),), client_to_client=True)


@pytest.mark.parametrize(
    ("tunnel", "said"),
    [
        ({"allow_input": [{"proto": "icmp", "port": 22}]}, "'tcp' or 'udp'"),
        ({"allow_input": [{"proto": "tcp", "port": 0}]}, "greater than or equal to 1"),
        ({"allow_input": [{"proto": "tcp"}]}, "Field required"),
        ({"client_to_client": "yes"}, "valid boolean"),
        ({"protected_networks": ["203.0.113.7/24"]}, "host bits set"),
    ],
)
def test_what_opens_the_router_is_checked(tunnel: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        config(tunnel)


@pytest.mark.parametrize(
    ("egress", "said"),
    [
        ({"check_ip": "203.0.113.7"}, "check_ip 203.0.113.7 lies in 203.0.113.0/24"),
        (
            {"check_ip": "198.51.100.10", "other_check_ip": "2001:db8:9::7"},
            "other_check_ip 2001:db8:9::7 lies in 2001:db8:9::/48",
        ),
    ],
)
def test_what_the_router_asks_through_the_egress_is_not_shut_to_tunnels(
    egress: dict[str, str], said: str
) -> None:
    with pytest.raises(ValidationError, match=rf"egress\.{said} of tunnel\.protected_networks"):
        config({"protected_networks": ["203.0.113.0/24", "2001:db8:9::/48"]}, egress=egress)


def test_one_port_or_several() -> None:
    def ports(**given: Any) -> list[int]:
        server = {"server_id": "r", "name": "r", "tunnel_id": 1, "egress_interface": "eth1"}
        return config(server={**server, **given}).server.ports

    assert ports() == [51820]
    assert ports(bind_port=443) == [443]
    assert ports(bind_ports=[443, 51820]) == [443, 51820]
    with pytest.raises(ValidationError, match="both given"):
        ports(bind_port=51820, bind_ports=[51820])


@pytest.mark.parametrize(
    ("given", "told"), [({"bind_port": 443}, (443, None)), ({"bind_ports": [1, 2]}, (1, [1, 2]))]
)
def test_the_controller_is_told_all_ports(given: dict[str, Any], told: tuple[Any, Any]) -> None:
    server = {"server_id": "r", "name": "r", "tunnel_id": 1, "egress_interface": "eth1"}
    stated = work_of(config(server={**server, **given}))["registration"]
    registration = Registration.model_validate(stated)
    assert (registration.port, registration.ports) == told
