"""`bin/bench tunnel`: what a tunnel between two hosts carries, and what it costs.

Each engine connects two network namespaces over one veth pair, so both ends, and iperf3,
share this machine's processors. Rounds are interleaved: every engine is measured once
before any is measured again, each time with fresh namespaces and processes, and the
medians are shown. Processor time is user and system of the engines' processes and all
that they have started; what the kernel does for them is in it, iperf3's own work is not.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from bench import document, sample, table, targets, traffic
from bench.arguments import add_names, positive
from bench.engines import ENGINES
from bench.engines.base import MTU, Engine, Missing, Tunnel
from bench.engines.nrs import CIPHERS, Nrs
from bench.machine import Watch
from bench.pair import UNDERLAY, Pair
from bench.progress import progress
from bench.sample import Sample
from bench.settings import Places
from bench.targets import Target
from bench.traffic import Offer
from testbed import proc
from testbed.command import run
from testbed.failed import Failed
from testbed.wait import NotInTime, wait_until

LARGEST_MTU = 8900
"""Of the TUN devices (`tunnel.mtu`)."""
_PREFLIGHT_S = 20.0
_SETTLE_S = 4.0
_SLACK_S = 25.0
SMALL_BYTES, SMALL_RATE = 64, "40M"  # 78,000 packets a second
LARGE_BYTES, LARGE_RATE = 1300, "1G"  # 96,000 packets a second
_MOST_BUFFER = 4 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this part."""
    parser.add_argument("--rounds", type=positive, default=3, help="default: 3")
    add_names(parser, "--engines", "engine", ENGINES)
    parser.add_argument(
        "--seconds", type=positive, default=3, help="of each of the six measurements; default: 3"
    )
    parser.add_argument(
        "--mtu",
        type=int,
        default=MTU,
        choices=range(MTU, LARGEST_MTU + 1),
        metavar="BYTES",
        help="measure our agents also with TUN devices of this MTU, over a link of 9000;"
        f" up to {LARGEST_MTU}",
    )
    parser.add_argument(
        "--cipher",
        choices=CIPHERS,
        action="append",
        default=[],
        dest="ciphers",
        help="measure our agents also with this cipher; may be given twice",
    )
    parser.add_argument(
        "--idle",
        type=int,
        default=20,
        metavar="SECONDS",
        help="how long the agents' idle cost is watched, 0: not at all; default: 20",
    )


@dataclass
class _Outcome:
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    idle: dict[str, float] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


def measure(options: argparse.Namespace, places: Places) -> int:
    """Measure, print, and return the exit status: 0 unless a measurement was broken."""
    watch = Watch()
    outcome = _Outcome()
    asked = [ENGINES[name](places) for name in options.engines]
    codecs = [name.removeprefix("nrs-") for name in options.engines if name.startswith("nrs-")]
    asked += [Nrs(places, codec, cipher=c) for codec in codecs for c in options.ciphers]
    if options.mtu > MTU:
        asked += [Nrs(places, codec, options.mtu) for codec in codecs]
    outcome.samples = {engine.name: [] for engine in asked}
    engines = _prepared(asked, outcome)
    for number in range(1, options.rounds + 1):
        for engine in engines:
            progress(f"round {number} of {options.rounds}: {engine.name}")
            idle = options.idle if number == 1 and engine.name.startswith("nrs-") else 0
            _measure_one(engine, options.seconds, idle, outcome)
    _print(watch, engines, options, outcome)
    return 1 if outcome.broken else 0


def _prepared(asked: Sequence[Engine], outcome: _Outcome) -> list[Engine]:
    ready = []
    for engine in asked:
        try:
            engine.prepare()
        except Missing as error:
            outcome.missing.append(f"{engine.name}: {error}")
            progress(f"{engine.name} is missing: {error}")
        else:
            ready.append(engine)
    return ready


def _measure_one(engine: Engine, seconds: float, idle: float, outcome: _Outcome) -> None:
    with Pair() as pair:
        run_ = _Run(pair, engine.name, seconds, outcome)
        try:
            tunnel = engine.start(pair)
            wait_until_it_works(pair, tunnel)
            time.sleep(tunnel.settle_s)
            if idle:
                run_.idle(tunnel, idle)
            outcome.samples[engine.name].append(run_.all(tunnel))
            pair.check()
        except Failed as error:
            run_.complain("not measured", error)


def wait_until_it_works(pair: Pair, tunnel: Tunnel) -> None:
    """Raises Failed."""

    def answers() -> bool:
        pair.check()
        ping = ["ping", "-n", "-q", "-c", "1", "-W", "1", tunnel.address]
        return " 1 received" in run(pair.host("a").enter(*ping), check=False)

    try:
        wait_until(answers, _PREFLIGHT_S, "an answer through it", every=0.1)
    except NotInTime as error:
        said = "\n".join(f"{child.name} said:\n{child.tail}" for child in tunnel.processes)
        raise Failed(f"{error}\n{said}") from None


class _Run:
    """The measurements of one engine in one round."""

    def __init__(self, pair: Pair, name: str, seconds: float, outcome: _Outcome) -> None:
        self._pair = pair
        self._name = name
        self._seconds = seconds
        self._limit = seconds + _SLACK_S
        self._outcome = outcome

    def complain(self, what: str, error: Failed) -> None:
        text = f"{self._name}: {what}: {error}"
        self._outcome.broken.append(text)
        progress(text)

    def idle(self, tunnel: Tunnel, seconds: float) -> None:
        """What each agent, with what it has started, uses while nothing is carried."""
        time.sleep(_SETTLE_S)
        before = [proc.seconds([child.pid]) for child in tunnel.processes]
        began = time.monotonic()
        time.sleep(seconds)
        passed = time.monotonic() - began
        for child, start in zip(tunnel.processes, before, strict=True):
            used = proc.seconds([child.pid]) - start
            self._outcome.idle[f"{self._name}, {child.name}"] = 100 * used / passed

    def all(self, tunnel: Tunnel) -> Sample:
        """Every measurement; one that fails is complained of and left out."""
        server = self._pair.start("b", "iperf3", ["iperf3", "--server", "--interval", "0"])
        time.sleep(0.2)
        found = Sample()
        steps: list[Callable[[Tunnel, Sample], Sample]] = [
            self._forward,
            self._reverse,
            self._four,
            self._small,
            self._large,
            self._round_trip,
        ]
        for step in steps:
            try:
                found = step(tunnel, found)
            except Failed as error:
                self.complain(step.__name__.strip("_").replace("_", " "), error)
                # The server may still wait for what the client has given up.
                self._pair.end(server)
                server = self._pair.start("b", "iperf3", ["iperf3", "--server", "--interval", "0"])
                time.sleep(0.2)
        return found

    def _forward(self, tunnel: Tunnel, found: Sample) -> Sample:
        before = self._used(tunnel)
        tcp = traffic.parse_tcp(self._iperf(tunnel))
        used = self._used(tunnel) - before
        if tunnel.processes:
            found = replace(found, cpu_s_per_gb=used / tcp.gigabytes)
        return replace(found, gbps=tcp.gbps)

    def _reverse(self, tunnel: Tunnel, found: Sample) -> Sample:
        return replace(
            found, gbps_reverse=traffic.parse_tcp(self._iperf(tunnel, reverse=True)).gbps
        )

    def _four(self, tunnel: Tunnel, found: Sample) -> Sample:
        return replace(found, gbps_four=traffic.parse_tcp(self._iperf(tunnel, flows=4)).gbps)

    def _small(self, tunnel: Tunnel, found: Sample) -> Sample:
        before = self._used(tunnel)
        output = self._iperf(tunnel, udp=self._offer(SMALL_RATE, SMALL_BYTES))
        used = self._used(tunnel) - before
        udp = traffic.parse_udp(output, SMALL_BYTES)
        if tunnel.processes:
            found = replace(found, small_us=used * 1e6 / udp.delivered)
        return replace(found, small_loss_percent=udp.loss_percent)

    def _large(self, tunnel: Tunnel, found: Sample) -> Sample:
        output = self._iperf(tunnel, udp=self._offer(LARGE_RATE, LARGE_BYTES))
        udp = traffic.parse_udp(output, LARGE_BYTES)
        return replace(found, large_gbps=udp.gbps, large_loss_percent=udp.loss_percent)

    def _round_trip(self, tunnel: Tunnel, found: Sample) -> Sample:
        """A ping beside a TCP flow, from when the flow has got going until it ends."""
        load = traffic.iperf3(tunnel.address, self._seconds + 1)
        child = self._pair.start("a", "load", load)
        try:
            time.sleep(0.5)
            output = self._do(traffic.ping(tunnel.address, self._seconds))
            if child.process.poll() is not None:
                raise Failed(f"the load ended too early:\n{child.tail}")
            try:
                child.process.wait(self._limit)
            except Exception as error:
                raise Failed(f"the load does not end: {error}") from None
            traffic.parse_tcp(child.said)
        finally:
            self._pair.end(child)
        return replace(found, rtt_ms=traffic.median_ms(traffic.replies_ms(output)))

    def _used(self, tunnel: Tunnel) -> float:
        return proc.seconds([child.pid for child in tunnel.processes])

    def _offer(self, rate: str, size: int) -> Offer:
        """With as large a buffer as both hosts allow."""
        most = [
            int(run(self._pair.host(host).enter("cat", f"/proc/sys/net/core/{limit}")))
            for host in UNDERLAY
            for limit in ("rmem_max", "wmem_max")
        ]
        return Offer(rate, size, min(_MOST_BUFFER, *most))

    def _iperf(
        self, tunnel: Tunnel, *, reverse: bool = False, flows: int = 1, udp: Offer | None = None
    ) -> str:
        return self._do(
            traffic.iperf3(tunnel.address, self._seconds, reverse=reverse, flows=flows, udp=udp)
        )

    def _do(self, command: Sequence[str]) -> str:
        return run(self._pair.host("a").enter(*command), limit=self._limit)


def _print(
    watch: Watch, engines: Sequence[Engine], options: argparse.Namespace, outcome: _Outcome
) -> None:
    figures = {name: sample.medians(rounds) for name, rounds in outcome.samples.items()}
    print(watch.described)
    print(watch.disturbance())
    how = f"medians of {options.rounds} rounds, each measurement {options.seconds} s"
    print(f"{how}\n")
    measured = {name: own for name, own in figures.items() if outcome.samples[name]}
    print("\n".join(table.plain(sample.rows(measured))))
    print()
    versions = [f"{engine.name}: {engine.version}" for engine in engines]
    print("\n".join(versions))
    terms = (
        f"CPU: both ends, user and system. 64 B: UDP offered at 78,000 packets a second."
        f" 1300 B: UDP offered at {LARGE_RATE}b/s. RTT: beside one TCP flow."
    )
    print(terms)
    print("".join(f"{line}\n" for line in sample.wider(measured)), end="")
    for text in outcome.missing:
        print(f"missing: {text}")
    for text in outcome.broken:
        print(f"BROKEN: {text}")
    promised: list[Target] = [*targets.of_tunnel(measured), *targets.of_idle(outcome.idle)]
    if promised:
        print("\ntargets")
        print("\n".join(map(str, promised)))
    document.show(options.origin, sample.rows(measured), how, "; ".join(versions), terms)
    print(json.dumps({name: sample.report(own) for name, own in figures.items()}), flush=True)
