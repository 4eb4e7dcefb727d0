"""`bin/bench trains`: what a card that damages trains costs, and how often a good one is suspected.

An endpoint's tunnel goes through a relay (`files/agents/tests/netns/relay.py`). In each trial a TCP
upload has got going when the relay begins to lose all but the first of the datagrams that arrive
together. Told is how long it takes until the upload is at 90 % of what the same tunnel carries
without trains over an honest relay (held over WINDOW_S, its beginning counts), and what it carries
later, beside that. On a busy machine even a flow without damage may be below 90 % of what it
carries at another time for a while, so told is also when the upload is at half of it. Then the
relay only loses, 5 % of each way, for `--seconds` under load: whatever is turned off meanwhile is
a mistake.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import traffic
from bench.arguments import positive
from bench.engines.base import Tunnel
from bench.engines.nrs import Nrs
from bench.machine import Watch
from bench.pair import UNDERLAY, Pair
from bench.progress import progress
from bench.settings import AGENTS, Places
from bench.targets import Target
from bench.tunnel import wait_until_it_works
from testbed.failed import Failed
from testbed.process import Child
from testbed.wait import wait_until

RELAY = "127.0.0.1"
_PROGRAM = AGENTS / "tests" / "netns" / "relay.py"
_SAMPLE_S = 0.02
WINDOW_S = 0.2
ENOUGH = 0.9
_BEFORE_S, _AFTER_S, _REFERENCE_S = 2.0, 5.0, 3
_LOSS = 0.05
_CONGESTION = Path("/proc/sys/net/ipv4/tcp_congestion_control")
"""Of the hosts too, which are made with what this one has."""
_TURNED_OFF = "single datagrams arrive, and not"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this part."""
    parser.add_argument("--trials", type=positive, default=5, help="default: 5")
    parser.add_argument(
        "--seconds",
        type=positive,
        default=3600,
        help="of load over a path that loses 5 %% each way; default: 3600",
    )


@dataclass(frozen=True)
class Trial:
    """One injected damage."""

    seconds_to_off: float | None
    """From the damage until the endpoint has turned trains off; None: not within the trial."""
    seconds: float | None
    """From the damage to 90 % of the rate without trains; None: not within the trial."""
    seconds_to_half: float | None
    ratio: float
    """The rate of the trial's second half, to that without trains."""


def recovery(samples: Sequence[tuple[float, int]], enough: float) -> float | None:
    """When the bytes counted (seconds since the damage, total) first grow by `enough` a second."""
    later = 0
    for at, count in samples:
        while later < len(samples) and samples[later][0] < at + WINDOW_S:
            later += 1
        if later == len(samples):
            return None
        end, total = samples[later]
        if at >= 0 and total - count >= enough * (end - at):
            return at
    return None


def measure(options: argparse.Namespace, places: Places) -> int:
    """Measure, print, and return the exit status: 0 unless a measurement was broken."""
    watch = Watch()
    engine = Nrs(places, "c", through=RELAY)
    engine.prepare()
    trials = []
    for number in range(1, options.trials + 1):
        progress(f"trial {number} of {options.trials}")
        with Pair() as pair:
            trials.append(_trial(engine, pair))
    progress(f"{options.seconds} s of load and loss")
    with Pair() as pair:
        mistakes = _mistakes(engine, pair, options.seconds)
    print(watch.described)
    print(watch.disturbance())
    print(f"TCP's congestion control: {_CONGESTION.read_text(encoding='ascii').strip()}")
    for one in trials:
        turned, half, took = (
            "never" if at is None else f"after {at:.2f} s"
            for at in (one.seconds_to_off, one.seconds_to_half, one.seconds)
        )
        print(
            f"off {turned}, half of the rate without trains {half}, 90 % {took},"
            f" later {one.ratio:.2f} of it"
        )
    seconds = [one.seconds for one in trials]
    known = [one for one in seconds if one is not None]
    worst = max(known) if len(known) == len(seconds) else None
    ratio = statistics.median(one.ratio for one in trials)
    targets = [
        Target("seconds to 90 %, worst trial", worst, 1.0, at_most=True),
        Target("rate to that without trains", ratio, ENOUGH, at_most=False),
        Target(f"false switch-offs in {options.seconds} s", mistakes, 0, at_most=True),
    ]
    print("\n".join(map(str, targets)))
    report = {
        "seconds_to_off": [one.seconds_to_off for one in trials],
        "seconds_to_half": [one.seconds_to_half for one in trials],
        "seconds_to_90": seconds,
        "ratio": round(ratio, 3),
        "false_switch_offs": mistakes,
        "seconds": options.seconds,
    }
    print(json.dumps(report), flush=True)
    return 0


def _relay(pair: Pair, loss: float, lie: str) -> Child:
    words = [RELAY, 51820, UNDERLAY["b"], loss, 0, 1, lie]
    child = pair.start("a", "relay", [sys.executable, _PROGRAM, *words])
    wait_until(lambda: "ready" in child.said, 10, "the relay is ready")
    return child


def _started(engine: Nrs, pair: Pair, loss: float, lie: str) -> tuple[Child, Tunnel]:
    relay = _relay(pair, loss, lie)
    tunnel = engine.start(pair)
    wait_until_it_works(pair, tunnel)
    pair.start("b", "iperf3", ["iperf3", "--server", "--interval", "0"])
    time.sleep(0.5)
    return relay, tunnel


def _trial(engine: Nrs, pair: Pair) -> Trial:
    relay, tunnel = _started(engine, pair, 0.0, "drop-up")
    router, endpoint = tunnel.processes
    flow = traffic.iperf3(tunnel.address, _BEFORE_S + _AFTER_S + 2)
    load = pair.start("a", "load", flow)
    time.sleep(_BEFORE_S)
    os.kill(relay.pid, signal.SIGUSR1)
    began = time.monotonic()
    samples: list[tuple[float, int]] = []
    off: float | None = None
    while (at := time.monotonic() - began) < _AFTER_S:
        samples.append((at, received(router.pid)))
        if off is None and _TURNED_OFF in endpoint.said:
            off = at
        time.sleep(_SAMPLE_S)
    pair.end(load)
    os.kill(relay.pid, signal.SIGUSR2)
    time.sleep(1.0)
    # What was turned off is tried again a minute later at the soonest.
    plain = _rate(pair, router.pid, tunnel)
    half = next(i for i, (at, _) in enumerate(samples) if at >= _AFTER_S / 2)
    (since, first), (until, last) = samples[half], samples[-1]
    return Trial(
        off,
        recovery(samples, ENOUGH * plain),
        recovery(samples, plain / 2),
        (last - first) / (until - since) / plain,
    )


def _rate(pair: Pair, pid: int, tunnel: Tunnel) -> float:
    """Bytes a second of an upload that has got going."""
    load = pair.start("a", "load", traffic.iperf3(tunnel.address, _REFERENCE_S + 3))
    time.sleep(1.5)
    before, began = received(pid), time.monotonic()
    time.sleep(_REFERENCE_S)
    rate = (received(pid) - before) / (time.monotonic() - began)
    pair.end(load)
    if not rate:
        raise Failed("nothing is carried without trains")
    return rate


def received(pid: int) -> int:
    """Bytes that have come out of the TUN device of a process's host."""
    for line in Path(f"/proc/{pid}/net/dev").read_text(encoding="ascii").splitlines():
        name, _, counts = line.partition(":")
        if name.strip() == "tun0":
            return int(counts.split()[0])
    raise Failed("there is no device tun0")


def _mistakes(engine: Nrs, pair: Pair, seconds: float) -> int:
    relay, tunnel = _started(engine, pair, _LOSS, "")
    os.kill(relay.pid, signal.SIGUSR1)
    until = time.monotonic() + seconds
    reverse = False
    while time.monotonic() < until:
        left = max(1.0, min(10.0, until - time.monotonic()))
        flows = traffic.iperf3(tunnel.address, left, flows=4, reverse=reverse)
        child = pair.start("a", "load", flows)
        child.process.wait(left + 60)
        pair.end(child)
        reverse = not reverse
        pair.check()
    return sum(child.said.count(_TURNED_OFF) for child in tunnel.processes)
