"""The cipher of running agents: changed under traffic, refused, and what is seen on the way."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from contextlib import closing
from typing import Any

import pytest
from testbed.wait import wait_until

from tests.netns import transfer
from tests.netns.capture import Capture
from tests.netns.timed.test_keys import reload
from tests.netns.transfer import Download
from tests.netns.world import BUSINESS, UNDERLAY6, Agent, World

NONE, AES, CHACHA = "none", "aes-256-gcm", "chacha20-poly1305"
each_codec = pytest.mark.parametrize("codec", ["c", "python"])


def deployed(world: World, codec: str, ciphers: list[str], cipher: str) -> tuple[Agent, Agent]:
    """One router: traffic stays, however busy the machine is."""
    world.environment["NRS_CODEC"] = codec
    near, far = UNDERLAY6["router_a"]
    only = {"router_id": "router_a", "external_ip": far, "bind_address": near}
    router = world.router("router_a", tunnel={"ciphers": ciphers})
    endpoint = world.endpoint(tunnel={"cipher": cipher}, routers=[only])
    wait_until(lambda: cipher_of(endpoint) == cipher, 20, "the tunnel up")
    return router, endpoint


def cipher_of(agent: Agent) -> str | None:
    """Of the session in use, at either end."""
    tunnels = list(agent.tunnels().values())
    return tunnels[0]["cipher"] if tunnels and tunnels[0]["up"] else None


def drops(agent: Agent) -> dict[str, Any]:
    wrong = ("tag", "malformed", "no_session", "replay", "source")
    found = agent.status()["figures"]["drops"]
    return {reason: found[reason] for reason in wrong if found[reason]}


@each_codec
def test_a_cipher_is_changed_under_ping_and_tcp_with_nothing_lost(world: World, codec: str) -> None:
    """As by playbook: the router takes both, the endpoint changes, the router gives up the old."""
    router, endpoint = deployed(world, codec, [NONE], NONE)
    ping = world.popen(
        "endpoint", *("ping", "-n", "-i", "0.01", "-w", "90", BUSINESS[0]), stdout=subprocess.PIPE
    )
    with closing(world.socket("business", socket.AF_INET, socket.SOCK_STREAM)) as listener:
        listener.bind((BUSINESS[0], 0))
        listener.listen(1)
        near = world.socket("endpoint", socket.AF_INET, socket.SOCK_STREAM)
        near.connect(listener.getsockname()[:2])
        far, _ = listener.accept()
    with closing(near), closing(far), Download(near, far, 40_000_000, 2_000_000) as download:
        before = NONE
        for cipher in (AES, CHACHA, NONE):
            reload(router, ciphers=[before, cipher])
            assert cipher_of(endpoint) == before
            reload(endpoint, cipher=cipher)
            for agent in (endpoint, router):
                wait_until(lambda a=agent, c=cipher: cipher_of(a) == c, 20, f"session of {cipher}")
            reload(router, ciphers=[cipher])
            came = download.received
            wait_until(lambda n=came: download.received > n + 500_000, 20, "the download goes on")
            before = cipher
        download.end(60)
    ping.send_signal(signal.SIGINT)
    answered = [int(n) for n in re.findall(r"icmp_seq=(\d+)", ping.communicate()[0].decode())]
    assert sorted(answered) == list(range(1, max(answered) + 1)), "none is left out"
    assert "closed" not in router.log
    assert [drops(agent) for agent in (router, endpoint)] == [{}] * 2


@each_codec
@pytest.mark.parametrize("cipher", [AES, CHACHA])
def test_everything_passes_and_nothing_of_it_is_seen_on_the_way(
    world: World, codec: str, cipher: str
) -> None:
    _, endpoint = deployed(world, codec, [NONE, cipher], cipher)
    text = "6e6f626f6479207265616473"
    seen: dict[str, int] = {}
    for name in (cipher, NONE):
        if name == NONE:
            reload(endpoint, cipher=NONE)
        wait_until(lambda n=name: cipher_of(endpoint) == n, 20, f"a session of {name}")
        with Capture(world, "router_a", "wan0") as capture:
            world.exec("endpoint", "ping", "-q", "-c", "5", "-i", "0.1", "-p", text, BUSINESS[0])
            packets = list(capture.packets())
        seen[name] = sum(bytes.fromhex(text) in each.packet for each in packets)
        for address in BUSINESS:
            transfer.tcp(world, address, 1_000_000)
            transfer.tcp(world, address, 1_000_000, upload=True)
            transfer.udp(world, address)
    assert seen[cipher] == 0
    assert seen[NONE] >= 5


def test_a_router_that_does_not_take_the_cipher_says_so(world: World) -> None:
    router, endpoint = deployed(world, "c", [NONE], NONE)
    reload(endpoint, cipher=AES)
    text = "router_a refuses cipher aes-256-gcm: it is not in its tunnel.ciphers"
    wait_until(lambda: text in endpoint.log, 20, "the endpoint is told")
    assert "its cipher aes-256-gcm is not in tunnel.ciphers" in router.log
    assert cipher_of(endpoint) == NONE, "what there is goes on"
    assert world.ping(BUSINESS[0])
    reload(router, ciphers=[AES])
    wait_until(lambda: cipher_of(endpoint) == AES, 20, "the new cipher, by itself")
    assert "its cipher none is no longer accepted" in router.log
    assert world.ping(BUSINESS[0])
