"""Device keys and key epochs between running agents: what is refused, and a rotation."""

from __future__ import annotations

import base64
import ipaddress
import re
import secrets
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from testbed.wait import wait_until

from nrs.tunnel import keys
from nrs.tunnel.wire import Claim
from tests.netns.conftest import both_up
from tests.netns.world import BUSINESS, ENDPOINT_TUN, Agent, World
from tests.tunnel.router_key import own_key

CLAIM = Claim(
    "endpoint_1",
    ipaddress.IPv4Address(ENDPOINT_TUN[0]),
    ipaddress.IPv6Address(ENDPOINT_TUN[1]),
)
ROUTERS = ("router_a", "router_b")
MASTERS = [secrets.token_bytes(32) for _ in range(4)]
OLD, NEW = MASTERS[:2]


def key_file(world: World, name: str, text: str) -> str:
    file = world.directory / name
    file.write_text(text + "\n", encoding="ascii")
    return str(file)


def psk_file(world: World, name: str, key: bytes) -> str:
    return key_file(world, name, base64.b64encode(key).decode())


def device_key(world: World, master: bytes, epoch: int, claim: Claim = CLAIM) -> dict[str, Any]:
    """The key part of an endpoint's `tunnel`."""
    key = keys.device_key(master, claim, epoch).hex()
    return {
        "psk": None,
        "device_key_file": key_file(world, "device_key", key),
        "key_epoch": epoch,
    }


def routers(world: World) -> list[Agent]:
    """Both routers, with the old key and device mode alone."""
    tunnel = {"psk": None, "psk_file": psk_file(world, "psk", OLD), "key_modes": ["device"]}
    return [world.router(name, tunnel=tunnel) for name in ROUTERS]


def reload(agent: Agent, **tunnel: Any) -> None:
    """Change keys of the agent's `tunnel` (None takes one out), and wait until it is in force."""
    before = agent.log.count("configuration reloaded")
    merged = {**agent.config["tunnel"], **tunnel}
    agent.write({**agent.config, "tunnel": merged})
    assert len(agent.status()["files_not_in_force"]) > 0
    agent.signal(signal.SIGHUP)
    wait_until(
        lambda: agent.log.count("configuration reloaded") > before, 10, f"{agent.host} reloads"
    )
    assert agent.status()["files_not_in_force"] == []


def rotate(world: World, agents: list[Agent], epoch: int = 1) -> None:
    """The routers take a new key, and keep the one before it."""
    previous = psk_file(world, "previous_psk", MASTERS[epoch - 1])
    psk_file(world, "psk", MASTERS[epoch])
    for router in agents:
        reload(router, key_epoch=epoch, previous_psk_file=previous)


def rotate_all(world: World, agents: list[Agent], endpoint: Agent, epoch: int) -> None:
    """A whole rotation as an operator does it: routers, endpoint, and the old key is dropped."""
    rotate(world, agents, epoch)
    assert epochs(endpoint) == [("device", epoch - 1)] * 2
    reload(endpoint, **device_key(world, MASTERS[epoch], epoch))
    wait_until(lambda: epochs(endpoint) == [("device", epoch)] * 2, 10, "sessions of the new epoch")
    for router in agents:
        wait_until(
            lambda router=router: router.tunnels()["endpoint_1"]["key_epoch"] == epoch,
            10,
            f"{router.host} uses the new session",
        )
        reload(router, previous_psk_file=None)


def epochs(endpoint: Agent) -> list[tuple[str, int]]:
    return [(t["key_mode"], t["key_epoch"]) for t in endpoint.status().get("tunnels", [])]


def test_rotations_of_device_keys_lose_no_packet(world: World, tmp_path: Path) -> None:
    agents = routers(world)
    endpoint = world.endpoint(tunnel=device_key(world, OLD, 0))
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up with device keys")
    assert epochs(endpoint) == [("device", 0)] * 2
    for address in BUSINESS:
        assert world.ping(address), address

    since = {name: tunnel["since"] for name, tunnel in endpoint.tunnels().items()}
    output = tmp_path / "ping"
    with output.open("wb") as file:
        ping = world.popen(
            "endpoint", *("ping", "-n", "-i", "0.01", "-c", "1000", "-W", "5", BUSINESS[0]),
            stdout=file,
        )  # fmt: skip
        began = endpoint.status()["figures"]["tx_packets"]
        wait_until(
            lambda: endpoint.status()["figures"]["tx_packets"] > began + 50, 10, "packets flow"
        )
        for epoch in range(1, len(MASTERS)):
            rotate_all(world, agents, endpoint, epoch)
        assert ping.poll() is None, "the rotations have taken longer than the ping"
        ping.wait(30)
    summary = output.read_text(encoding="ascii")[-300:]
    assert "1000 packets transmitted, 1000 received, 0% packet loss" in summary
    assert {name: t["since"] for name, t in endpoint.tunnels().items()} == since
    assert all("closed" not in agent.log for agent in agents)
    assert {line for agent in agents for line in re.findall("HMAC.*", agent.log)} == set()


def router_key(world: World, name: str, epoch: int) -> dict[str, Any]:
    """The key part of a router's `tunnel`, of the newest PSK."""
    key = own_key(NEW, name, epoch).hex()
    return {"router_key_file": key_file(world, f"{name}_key", key), "key_epoch": epoch}


def device_keys(world: World, epoch: int) -> dict[str, Any]:
    """What belongs to that at the endpoint."""
    made = {name: keys.device_key(own_key(NEW, name, epoch), CLAIM, epoch) for name in ROUTERS}
    text = "\n".join(f"{name} {key.hex()}" for name, key in made.items())
    file = key_file(world, "device_keys", text)
    return {"device_key_file": None, "device_keys_file": file, "key_epoch": epoch}


@pytest.mark.parametrize("restart", [False, True], ids=["reload", "restart"])
def test_routers_get_keys_of_their_own_without_a_lost_packet(world: World, restart: bool) -> None:
    """From one PSK at all of them, by reloads or with a restart, as an upgrade brings it."""
    world.managed = True
    agents = routers(world)
    endpoint = world.endpoint(tunnel=device_key(world, OLD, 0))
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    previous = psk_file(world, "previous_psk", OLD)
    ping = world.popen(
        "endpoint", *("ping", "-n", "-i", "0.01", "-w", "90", BUSINESS[0]), stdout=subprocess.PIPE
    )
    for router in agents:
        changed = {"psk_file": None, **router_key(world, router.host, 1)}
        change(router, restart=restart, previous_psk_file=previous, **changed)
        wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    assert epochs(endpoint) == [("device", 0)] * 2
    change(endpoint, restart=restart, **device_keys(world, 1))
    wait_until(lambda: epochs(endpoint) == [("device", 1)] * 2, 10, "sessions of the new epoch")
    for router in agents:
        wait_until(
            lambda router=router: router.tunnels()["endpoint_1"]["key_epoch"] == 1, 10, "at both"
        )
        change(router, restart=restart, previous_psk_file=None)
    wait_until(lambda: both_up(endpoint), 10, "both tunnels up")
    ping.send_signal(signal.SIGINT)
    answered = [int(n) for n in re.findall(r"icmp_seq=(\d+)", ping.communicate()[0].decode())]
    assert sorted(answered) == list(range(1, max(answered) + 1)), "none is left out"
    assert all("closed" not in agent.log for agent in agents)


def change(agent: Agent, *, restart: bool, **tunnel: Any) -> None:
    """As `reload`, or by a restart that keeps sessions."""
    if not restart:
        reload(agent, **tunnel)
        return
    agent.write({**agent.config, "tunnel": {**agent.config["tunnel"], **tunnel}})
    agent.restart()
    wait_until(lambda: agent.status().get("files_not_in_force") == [], 30, f"{agent.host} is back")


def test_an_endpoint_that_kept_the_old_key_loses_its_tunnels(world: World) -> None:
    agents = routers(world)
    endpoint = world.endpoint(tunnel=device_key(world, OLD, 0))
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    rotate(world, agents)
    assert world.ping(BUSINESS[0])
    for router in agents:
        reload(router, previous_psk_file=None)
    wait_until(
        lambda: [t["state"] for t in endpoint.tunnels().values()] == ["connecting"] * 2,
        10,
        "both tunnels closed",
    )
    assert not world.ping(BUSINESS[0], count=1)
    for router in agents:
        assert "tunnel to endpoint_1 is closed: the key that opened it" in router.log
        wait_until(lambda router=router: "HMAC" in router.log, 10, "its HELLOs are refused")
    # It comes back by itself with the key of today.
    reload(endpoint, **device_key(world, NEW, 1))
    wait_until(lambda: both_up(endpoint), 10, "both tunnels up with the new key")
    assert world.ping(BUSINESS[0])


def test_a_device_key_made_for_other_addresses_opens_nothing(world: World) -> None:
    router = routers(world)[0]
    stolen = Claim("endpoint_2", CLAIM.tun_ipv4 + 1, CLAIM.tun_ipv6 + 1)
    endpoint = world.endpoint(tunnel=device_key(world, OLD, 0, stolen))
    wait_until(lambda: "HMAC" in router.log, 20, "the refusal")
    wait_until(lambda: router.status()["figures"]["drops"]["tag"] >= 3, 20, "three HELLOs refused")
    assert not any(t["up"] for t in endpoint.tunnels().values())
    assert router.tunnels() == {}


def test_a_shared_key_is_refused_where_device_keys_alone_are_allowed(world: World) -> None:
    router = routers(world)[0]
    endpoint = world.endpoint(tunnel={"psk": base64.b64encode(OLD).decode()})
    refused = re.compile(r"refused endpoint_1 from .*: its key is the shared PSK, .*device_key")
    wait_until(lambda: refused.search(router.log), 20, "the refusal")
    wait_until(
        lambda: router.status()["figures"]["drops"]["malformed"] >= 3, 20, "three HELLOs refused"
    )
    assert not any(t["up"] for t in endpoint.tunnels().values())
    # Without a restart of either, once the router allows it.
    reload(router, key_modes=["device", "shared"])
    wait_until(lambda: endpoint.tunnels()["router_a"]["up"], 10, "the tunnel up in shared mode")
    assert not endpoint.tunnels()["router_b"]["up"]
