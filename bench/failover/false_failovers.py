"""Nothing fails, and everything is late: how often does the endpoint switch all the same?

Every processor is busy, a TCP flow fills the tunnel, and the path's delay varies. The load
balancer is silent meanwhile, so that no switch is one that was asked for.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from bench.failover.conditions import busy, no_advice
from bench.failover.load import BULK_PORT, Program
from bench.failover.rig import BUSINESS, ENDPOINT, Rig
from bench.progress import progress
from lab.topology import INTERNET
from testbed.failed import Failed
from testbed.wait import wait_until

TABLE = "nrs_bench_jitter"
_FIRST_PORT = 61_000
_SETTLE_S = 10.0
_LEARN_S = 5.0
"""A path of 0.3 ms that has turned into one of 60 ms is a silent one until it has answered."""
_POLL_S = 0.1


def count(rig: Rig, minutes: int, jitter_ms: int) -> int:
    """The switches that the endpoint makes. Raises Failed, OSError."""
    switches = 0
    with ExitStack() as stack:
        stack.enter_context(no_advice(rig))
        stack.enter_context(_late(rig, jitter_ms))
        wait_until(rig.healthy, _SETTLE_S, "two healthy tunnels on the paths that jitter")
        for _ in range(os.cpu_count() or 1):
            stack.enter_context(busy())
        flow = stack.enter_context(_Flow(rig))
        progress(f"{_watch(rig, flow, _LEARN_S)} switches while the endpoint learns the late paths")
        progress(f"{minutes} minutes of busy processors, late packets and a full tunnel")
        began = time.monotonic()
        for minute in range(minutes):
            switches += _watch(rig, flow, began + 60 * (minute + 1) - time.monotonic())
            progress(f"minute {minute + 1}: {switches} switches, {flow.said()}")
    return switches


def _watch(rig: Rig, flow: _Flow, seconds: float) -> int:
    """Changes of the active router within some time."""
    end = time.monotonic() + seconds
    before, changes = rig.active(), 0
    while time.monotonic() < end:
        flow.keep()
        status = rig.status()
        active = next((t["router_id"] for t in status["tunnels"] if t["active"]), None)
        flow.rtts_ms += [t["rtt_ms"] for t in status["tunnels"] if t["active"] and t["rtt_ms"]]
        if active != before:
            changes += 1
            progress(f"from {before} to {active}")
            before = active
        time.sleep(_POLL_S)
    return changes


class _Flow:
    """A TCP flow without a limit, begun again where it has broken."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._stack = ExitStack()
        self._flow: Program | None = None
        self._broken = -1
        self.rtts_ms: list[float] = []
        """Of the tunnel in use, smoothed, since it was last told how things are."""

    def __enter__(self) -> _Flow:
        with ExitStack() as stack:
            server = Program(self._rig, BUSINESS, "bulk", "serve", self._rig.business, BULK_PORT)
            stack.callback(server.close)
            stack.callback(self._end)
            self.keep()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def keep(self) -> None:
        """Raises Failed."""
        if self._flow is None or self._flow.ended():
            self._end()
            self._broken += 1
            words = ("flow", self._rig.business, BULK_PORT, "down", 0)
            self._flow = Program(self._rig, ENDPOINT, "bulk", *words)
            self._at, self._bytes = time.monotonic(), _received(self._rig)

    def said(self) -> str:
        """How fast it is, for whoever waits."""
        now, total = time.monotonic(), _received(self._rig)
        mbps = (total - self._bytes) * 8 / 1e6 / max(1e-3, now - self._at)
        self._at, self._bytes = now, total
        rtt = statistics.median(self.rtts_ms) if self.rtts_ms else 0.0
        self.rtts_ms.clear()
        return f"{mbps:.0f} Mb/s, {self._broken} flows broken, smoothed RTT {rtt:.0f} ms"

    def _end(self) -> None:
        if self._flow is not None:
            self._flow.close()
            self._flow = None


def _received(rig: Rig) -> int:
    """Bytes that came out of the endpoint's tunnels."""
    total: int = rig.status()["figures"]["rx_bytes"]
    return total


@contextmanager
def _late(rig: Rig, jitter_ms: int) -> Iterator[None]:
    """A relay to each router, through which the endpoint's tunnels pass without knowing."""
    internet = rig.segment(INTERNET)
    with ExitStack() as stack:
        rules = [f"add table inet {TABLE}", f"delete table inet {TABLE}", *_CHAINS]
        for number, router in enumerate(rig.routers()):
            port = _FIRST_PORT + number
            own, target = rig.tunnel_ends(router)
            relay = Program(
                rig, rig.topology.segment(INTERNET).namespace, "jitter", port, target, jitter_ms
            )
            stack.callback(relay.close)
            rules += redirection(own, target, port)
        with suppress(Failed, OSError):
            internet.forget_connections()
        stack.callback(_direct, rig)
        internet.nft("\n".join(rules) + "\n")
        yield


def _direct(rig: Rig) -> None:
    """The paths as they were."""
    internet = rig.segment(INTERNET)
    internet.nft(f"add table inet {TABLE}\ndelete table inet {TABLE}\n")
    internet.forget_connections()


_CHAINS = (
    f"add table inet {TABLE}",
    f"add chain inet {TABLE} direct {{ type filter hook prerouting priority -310; }}",
    f"add chain inet {TABLE} bent {{ type nat hook prerouting priority -100; }}",
)


def redirection(own: str, target: str, port: int) -> list[str]:
    """Rules that lead one tunnel through a relay at `port`."""
    ip = "ip6" if ":" in own else "ip"
    return [
        # From the relay alone: a packet of the old path would make a connection of its own,
        # whose other direction is then not redirected.
        f"add rule inet {TABLE} direct {ip} saddr {target} {ip} daddr {own} udp sport 51820 drop",
        f"add rule inet {TABLE} bent {ip} saddr {own} {ip} daddr {target} udp dport 51820"
        f" redirect to :{port}",
    ]
