"""A path that only loses is not taken for one that damages datagrams sent together."""

from __future__ import annotations

import signal
import time

from tests.netns import transfer
from tests.netns.timed.test_trains import not_together, relay, start
from tests.netns.world import BUSINESS, World

SECONDS = 30
"""With each codec; the benchmark takes an hour."""


def test_loss_is_no_damage(world: World, codec: str) -> None:
    """Traffic both ways, at whatever rate it finds, with 5 % lost each way."""
    process = relay(world, "", loss=0.05)
    _, endpoint = start(world)
    process.send_signal(signal.SIGUSR1)
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        transfer.tcp(world, BUSINESS[0], 1_000_000, connections=4)
        transfer.tcp(world, BUSINESS[1], 1_000_000, connections=4, upload=True)
    assert not_together(endpoint) == []
    assert "single datagrams arrive, and not" not in endpoint.log
