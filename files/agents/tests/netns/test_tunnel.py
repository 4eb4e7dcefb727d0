"""Packets through a real tunnel: families, NAT, sources, keys, and what is left behind."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import secrets
import sys
import time
from pathlib import Path

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import both_up
from tests.netns.world import BUSINESS, ENDPOINT_TUN, ROUTER_TUN, UNDERLAY6, Agent, World

Running = tuple[World, Agent, Agent, Agent]


def test_inner_addresses_of_both_routers_and_the_business_server_answer(running: Running) -> None:
    world, *_ = running
    for address in (*ROUTER_TUN["router_a"], *ROUTER_TUN["router_b"], *BUSINESS):
        assert world.ping(address), address


def test_an_ipv4_underlay_carries_both_inner_families(world: World) -> None:
    world.router("router_a")
    world.router("router_b")
    endpoint = world.endpoint(underlay=4)
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up over IPv4")
    for address in (*ROUTER_TUN["router_b"], *BUSINESS):
        assert world.ping(address), address


@pytest.mark.parametrize("address", BUSINESS)
def test_a_download_through_nat_arrives_unchanged(
    running: Running, tmp_path: Path, address: str
) -> None:
    world, *_ = running
    content = secrets.token_bytes(20_000_000)
    served = tmp_path / "served"
    served.mkdir()
    (served / "file").write_bytes(content)
    world.popen(
        "business", sys.executable, "-m", "http.server", "--bind", address,
        "--directory", str(served), "80",
    )  # fmt: skip
    host = f"[{address}]" if ":" in address else address
    target = tmp_path / "got"
    fetch = (
        "import urllib.request as u, sys; "
        "open(sys.argv[2], 'wb').write(u.urlopen(sys.argv[1], timeout=20).read()); print('done')"
    )
    words = (sys.executable, "-c", fetch, f"http://{host}/file", str(target))
    wait_until(lambda: world.exec("endpoint", *words, check=False), 30, "the download")
    assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(content).digest()


def test_a_foreign_inner_source_is_dropped_and_counted(running: Running) -> None:
    world, endpoint, router_a, router_b = running
    world.ip("endpoint", "addr", "add", "10.10.100.77/32", "dev", "lo")
    world.exec(
        "endpoint", "ping", "-c", "3", "-i", "0.05", "-W", "1", "-I", "10.10.100.77",
        BUSINESS[0], check=False,
    )  # fmt: skip
    dropped = sum(r.status()["figures"]["drops"]["source"] for r in (router_a, router_b))
    assert dropped >= 3
    assert both_up(endpoint)


def test_another_key_opens_nothing_and_is_logged_at_most_once_a_second(world: World) -> None:
    router = world.router("router_a")
    another = base64.b64encode(secrets.token_bytes(32)).decode()
    endpoint = world.endpoint(tunnel={"psk": another})
    began = time.monotonic()
    wait_until(lambda: "HMAC" in router.log, 10, "the HMAC complaint")
    wait_until(
        lambda: router.status()["figures"]["drops"]["tag"] >= 5, 20, "five HELLOs with a bad tag"
    )
    complaints = re.findall(r"HMAC.*", router.log)
    assert len(complaints) <= time.monotonic() - began + 1
    assert UNDERLAY6["router_a"][0] in complaints[0]
    assert not any(t["up"] for t in endpoint.tunnels().values())
    assert not router.tunnels()


def test_stopping_removes_device_routes_and_rules(running: Running) -> None:
    world, endpoint, router_a, _ = running
    assert "nrs_routing_server" in world.exec("router_a", "nft", "list", "tables")
    assert "198.51.100.0/24" in world.exec("endpoint", "ip", "route")
    assert endpoint.stop() == 0
    wait_until(lambda: not router_a.tunnels(), 2, "the router forgets an endpoint that said BYE")
    assert router_a.stop() == 0
    for host in ("endpoint", "router_a"):
        assert "tun0" not in world.exec(host, "ip", "link")
    assert "nrs_routing_server" not in world.exec("router_a", "nft", "list", "tables")
    assert "198.51.100.0/24" not in world.exec("endpoint", "ip", "route")


def test_return_traffic_leaves_from_the_address_that_was_spoken_to(world: World) -> None:
    """A router with two addresses on a link answers from the one the endpoint uses."""
    second = "2001:db8:a::22"
    world.address("router_a", "wan0", f"{second}/64")
    world.router("router_a")
    endpoint = world.endpoint(
        routers=[
            {
                "router_id": "router_a",
                "external_ip": second,
                "bind_address": UNDERLAY6["router_a"][0],
            }
        ]
    )
    wait_until(lambda: endpoint.tunnels().get("router_a", {}).get("up"), 10, "tunnel up")


def test_an_agent_that_is_asked_for_a_provider_that_nobody_knows_says_so(world: World) -> None:
    world.environment["NRS_CRYPTO"] = "openssl"
    endpoint = world.endpoint()
    assert endpoint.process.wait(timeout=30) == 1
    assert "NRS_CRYPTO: found 'openssl'; allowed: libcrypto, ipsec-mb" in endpoint.log
    assert "Traceback" not in endpoint.log


def test_status_names_codec_offloads_and_round_trip(running: Running) -> None:
    world, endpoint, router_a, _ = running
    assert world.ping(BUSINESS[0])
    status = endpoint.status()
    assert (status["role"], status["id"]) == ("network_access_endpoint", "endpoint_1")
    assert status["codec"] == os.environ.get("NRS_CODEC", "c")
    assert status["crypto"].startswith(("libcrypto", "ipsec-mb "))
    assert {"csum", "tso4", "tso6"} <= set(status["offloads"])
    active = [t for t in status["tunnels"] if t["active"]]
    assert len(active) == 1
    assert 0 < active[0]["rtt_ms"] < 1000
    assert router_a.tunnels()["endpoint_1"]["tun_ipv4"] == ENDPOINT_TUN[0]
