"""Which addresses of APIs and resolvers have to stay outside a tunnel."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nrs.config.types import IPAddress
from nrs.endpoint import service_addresses
from nrs.endpoint.config import NetworkAccessEndpointConfig
from nrs.endpoint.host_network import leaving
from nrs.endpoint.service_addresses import ServiceAddresses, Services, hosts_of, resolvers
from tests.endpoint.fakes import config

PSK = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
BALANCER = "the address of load_balancer.url"


def asking(*urls: str, controller: str | None = None) -> NetworkAccessEndpointConfig:
    base = config(psk=PSK)
    changes: dict[str, Any] = {"load_balancer": {"url": list(urls)}}
    if controller:
        changes["network_controller"] = {"url": controller}
    return NetworkAccessEndpointConfig.model_validate(
        {
            "endpoint": base.endpoint,
            "tunnel": {"psk": PSK, "tun_ipv4": "10.10.100.1", "tun_ipv6": "fd00:10:100::1"},
            "routers": base.routers,
            **changes,
        }
    )


def address(text: str) -> IPAddress:
    return ipaddress.ip_address(text)


@pytest.fixture(autouse=True)
def resolver_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "resolv.conf"
    file.write_text("nameserver 192.0.2.53\n", encoding="ascii")
    monkeypatch.setattr(service_addresses, "_RESOLVERS", file)
    return file


def test_hosts_stand_in_urls() -> None:
    with_both = asking(
        "http://192.0.2.10:8080", "http://[2001:db8::10]:8080", controller="http://c"
    )
    assert hosts_of(with_both) == {
        "192.0.2.10": "load_balancer.url",
        "2001:db8::10": "load_balancer.url",
        "c": "network_controller.url",
    }


def test_addresses_need_no_resolver_and_those_of_the_host_itself_nothing() -> None:
    known = ServiceAddresses(
        asking("http://192.0.2.10:8080", "http://[2001:db8::10]:8080", "http://127.0.0.1:8080")
    ).known
    assert known.addresses == {address("192.0.2.10"): BALANCER, address("2001:db8::10"): BALANCER}


def test_a_resolv_conf_names_resolvers() -> None:
    text = "# a\nsearch example\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\n"
    text += "nameserver 127.0.0.53\nnameserver\nnameserver nonsense\noptions edns0\n"
    assert set(resolvers(text)) == {address("192.0.2.53"), address("fe80::1")}


class Names:
    """What a resolver says; `asked` is released at each question."""

    def __init__(self) -> None:
        self.answers: list[str] | None = ["192.0.2.10"]
        self.unknown: set[str] = set()
        self.asked = threading.Semaphore(0)

    def __call__(self, host: str, port: object, **_: object) -> list[Any]:
        self.asked.release()
        if self.answers is None or host in self.unknown:
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return [(0, 0, 0, "", (answer, 0)) for answer in self.answers]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    found = Names()
    monkeypatch.setattr(socket, "getaddrinfo", found)
    monkeypatch.setattr(service_addresses, "_AGAIN_S", 0.01)
    monkeypatch.setattr(service_addresses, "_FAILED_S", 0.01)
    return found


@pytest.fixture
def followed(names: Names) -> Iterator[tuple[ServiceAddresses, list[Services]]]:
    told: list[Services] = []
    services = ServiceAddresses(asking("http://lb.example:8080"))
    assert set(services.known.addresses) == {address("192.0.2.53")}
    services.follow(told.append)
    yield services, told
    services.stop()


def wait_for(names: Names, questions: int) -> None:
    for _ in range(questions):
        assert names.asked.acquire(timeout=10)


def test_names_are_followed_and_told_where_they_lead_elsewhere(
    names: Names, followed: tuple[ServiceAddresses, list[Services]]
) -> None:
    _, told = followed
    wait_for(names, 3)
    assert [set(one.addresses) for one in told] == [{address("192.0.2.53"), address("192.0.2.10")}]
    names.answers = ["192.0.2.11", "2001:db8::11"]
    wait_for(names, 3)
    assert set(told[-1].addresses) == {*map(address, ("192.0.2.53", "192.0.2.11", "2001:db8::11"))}
    assert len(told) == 2


def test_what_was_known_stays_while_nobody_answers(
    names: Names,
    followed: tuple[ServiceAddresses, list[Services]],
    resolver_file: Path,
) -> None:
    _, told = followed
    wait_for(names, 2)
    names.answers = None
    wait_for(names, 3)
    assert len(told) == 1
    resolver_file.write_text("nameserver 192.0.2.54\n", encoding="ascii")
    wait_for(names, 3)
    assert set(told[-1].addresses) == {address("192.0.2.54"), address("192.0.2.10")}


def test_routers_and_apis_behind_one_name_are_all_led_there(names: Names) -> None:
    """Two ports of one host, or two uplinks to it, beside a load balancer on it."""
    base = asking("http://vpn.example:8080")
    given = base.model_dump(exclude={"routers"}) | {
        "tunnel": {"psk": PSK, "tun_ipv4": "10.10.100.1", "tun_ipv6": "fd00:10:100::1"},
        "routers": [
            {"router_id": "r1", "host": "vpn.example", "bind_address": "192.0.2.1"},
            {"router_id": "r2", "host": "vpn.example", "bind_address": "192.0.2.5"},
            {"router_id": "r3", "host": "other.example", "bind_address": "192.0.2.5"},
        ],
    }
    both = NetworkAccessEndpointConfig.model_validate(given)
    names.unknown = {"other.example"}
    told: list[Services] = []
    services = ServiceAddresses(both)
    services.follow(told.append)
    try:
        wait_for(names, 4)
        names.answers = None
        wait_for(names, 4)
    finally:
        services.stop()
    assert told[-1].addresses[address("192.0.2.10")] == (
        "the address of load_balancer.url and routers: r1 and routers: r2"
    )
    assert told[-1].named == {
        ipaddress.ip_address("192.0.2.10"): told[-1].addresses[ipaddress.ip_address("192.0.2.10")]
    }
    assert ServiceAddresses(both, told[-1]).known == told[-1], "a reload forgets no name"
    moved = {ipaddress.ip_address("192.0.2.5"): ipaddress.ip_address("192.0.2.7")}
    bound = leaving(both, told[-1], moved)
    assert [(one.router_id, str(one.source), str(one.to), one.moved) for one in bound] == [
        ("r1", "192.0.2.1", "192.0.2.10", False),
        ("r2", "192.0.2.7", "192.0.2.10", True),
    ]
