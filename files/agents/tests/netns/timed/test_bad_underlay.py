"""Loss and reordering on the underlay never damage what TCP carries through it."""

from __future__ import annotations

import signal
import subprocess
import sys

from testbed.wait import wait_until

from tests.netns import transfer
from tests.netns.conftest import is_up
from tests.netns.world import AGENTS, BUSINESS, UNDERLAY6, World

RELAY = "::1"
LOSS, REORDER = 0.20, 0.05


def start_relay(world: World, loss: float, reorder: float) -> subprocess.Popen[bytes]:
    """Let what the endpoint sends to RELAY go to router_a; bad from SIGUSR1 on."""
    process = world.popen(
        "endpoint",
        *(sys.executable, "-m", "tests.netns.relay", RELAY, "51820", UNDERLAY6["router_a"][1]),
        *(str(loss), str(reorder), "1"),
        cwd=AGENTS,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    with process.stdout as output:
        assert output.readline() == b"ready\n"
    return process


def test_a_download_survives_loss_and_reordering(world: World, codec: str) -> None:
    """100 MB with every fifth datagram lost each way, and one in twenty late.

    Over 8 connections, as one alone spends most of its time in retransmission timeouts,
    and made while the path is good, as a lost SYN makes those ten times as long.
    """
    for host in ("endpoint", "business"):  # where the kernel has it: no long pauses
        world.exec(host, "sysctl", "-q", "-w", "net.ipv4.tcp_rto_max_ms=1000", check=False)
    relay = start_relay(world, LOSS, REORDER)
    router = world.router("router_a")
    endpoint = world.endpoint(routers=[{"router_id": "router_a", "external_ip": RELAY}])
    wait_until(lambda: is_up(endpoint), 30, "tunnel up")
    transfer.tcp(
        world,
        BUSINESS[codec == "c"],  # each family once
        100_000_000,
        connections=8,
        connected=lambda: relay.send_signal(signal.SIGUSR1),
    )
    sent = router.status()["figures"]["tx_datagrams"]
    received = endpoint.status()["figures"]["rx_datagrams"]
    assert sent > 70_000
    assert (1 - LOSS) * 0.95 < received / sent < (1 - LOSS) * 1.05
