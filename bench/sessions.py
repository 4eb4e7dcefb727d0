"""`bin/bench sessions`: a routing server with many sessions.

Two routing servers run side by side in namespaces of their own, one with 10,000 sessions and
one with a single session, with the C codec. A client speaks the protocol for the endpoints:
each has a source address of its own (198.18.0.0/15, all local to the client's namespace),
an id and inner addresses of its own.

**Handshakes**: seconds from the first HELLO to the last PROBE_ACK, each session confirmed by
a PROBE; at most 256 under way at once. The client has made its key pairs and HELLOs before,
does the other half of each key exchange meanwhile, and says how busy both were.

**Memory**: resident memory of the router's processes with all sessions up.

**Forwarding**: trains of 40 full-size UDP packets of one flow each, about what TSO hands over
at once (`--train` for others: the shorter, the more a session costs), the same in both cases;
what differs is over how many sessions they are spread, one train after the other. *Up*: the
client sends trains that it has sealed beforehand, each as one system call, so that sending
one costs it less than opening one costs the router. Every so many trains a PROBE goes along,
and no more are sent than its answers allow: the router always has work and nothing is lost.
The router puts each train into its TUN device, from where the kernel forwards it to an egress
that drops it. *Down*: a sender in the router's namespace fills the TUN device with trains to
the inner addresses, and the router seals what it can keep up with; the client's namespace
drops what arrives.

A rate is inner bytes, as the TUN device counts them, a processor second of the router; up and
down are put together as the time that a byte each way takes. The two routers take turns, and
the ratio is that of the medians. Wall-clock rates are shown beside it: where the router is
what limits, both tell the same, and another process on the machine disturbs only the latter.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import agents, document, targets
from bench.arguments import positive
from bench.conversation import Conversation
from bench.machine import Watch
from bench.pair import LINK, UNDERLAY, Pair
from bench.progress import progress
from bench.router_rate import Rate, both_ways
from bench.settings import CHECKOUT, Places
from bench.table import number, plain
from testbed import link, proc
from testbed.command import run
from testbed.failed import Failed

DEVICE = "tun0"
OUTER = "198.18.0.0/15"
INNER = "10.100.0.1/16"
INNER6 = "fd00:100::1/64"
_MOST = 60_000
_MOST_IN_TRAIN = 45  # what one UDP_SEGMENT send holds
_START_S = 20.0
_HANDSHAKES_S = 120.0
_PASS_S = 60.0
_FLOW_S = 0.4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this part."""
    parser.add_argument("--sessions", type=_sessions, default=10_000, help="default: 10000")
    parser.add_argument("--rounds", type=positive, default=3, help="default: 3")
    parser.add_argument(
        "--train", type=_train, default=40, metavar="N", help="packets in a train; default: 40"
    )
    parser.add_argument(
        "--seconds", type=positive, default=4, help="of each measurement of a rate; default: 4"
    )


def _sessions(text: str) -> int:
    number_ = int(text)
    if not 2 <= number_ <= _MOST:
        raise argparse.ArgumentTypeError(f"must be 2 to {_MOST}")
    return number_


def _train(text: str) -> int:
    number_ = int(text)
    if not 2 <= number_ <= _MOST_IN_TRAIN:
        raise argparse.ArgumentTypeError(f"must be 2 to {_MOST_IN_TRAIN}")
    return number_


@dataclass
class _Handshakes:
    seconds: float
    client_percent: float
    router_percent: float
    repeated: int


class _Site:
    """A routing server on host b, and a client for its endpoints on host a."""

    def __init__(self, pair: Pair, python: Path, sessions: int, train: int) -> None:
        self.sessions = sessions
        self._pair = pair
        self._train = train
        self.ups: list[Rate] = []
        self.downs: list[Rate] = []
        pair.host("a").ip("route", "add", "local", OUTER, "dev", "lo")
        pair.host("b").batch(
            [
                f"route add {OUTER} via {UNDERLAY['a']}",
                link.bridge("egress0"),
                *link.up("egress0", ["198.51.100.1/24"]),
                "neigh add 198.51.100.2 lladdr 02:00:00:00:00:02 dev egress0 nud permanent",
            ]
        )
        psk = agents.new_psk()
        tunnel = {"psk": psk, "interface_name": DEVICE, "tun_ipv4": INNER, "tun_ipv6": INNER6}
        self.router = agents.start_router(pair, python, "c", tunnel)
        self.client = self._start_client(python, psk)

    def _start_client(self, python: Path, psk: str) -> Conversation:
        secret = self._pair.directory / "psk"
        secret.touch(mode=0o600)
        secret.write_text(psk, encoding="ascii")
        words = [python, "-m", "bench.session_client", "--psk-file", secret]
        words += ["--router", UNDERLAY["b"], "--train", str(self._train)]
        words += ["--sessions", str(self.sessions)]
        env = {**agents.environment(self._pair.directory, "c"), "PYTHONPATH": str(CHECKOUT)}
        return Conversation(self._pair.start("a", "client", words, env=env, conversation=True))

    def wait_until_it_listens(self) -> None:
        """Raises Failed."""
        command = self._pair.host("b").enter("ss", "--no-header", "-uln", "sport", "=", ":51820")
        self.router.wait_until(lambda: bool(run(command).strip()), _START_S, "the router listens")
        time.sleep(1)

    def connect(self) -> _Handshakes:
        """All sessions. Raises Failed."""
        self.client.ask("prepare", _HANDSHAKES_S)
        used = self._used()
        said = self.client.ask("connect", _HANDSHAKES_S)
        seconds = said["seconds"]
        return _Handshakes(
            seconds=seconds,
            client_percent=100 * said["cpu_seconds"] / seconds,
            router_percent=100 * (self._used() - used) / seconds,
            repeated=int(said["repeated"]),
        )

    def up(self, at_least: float) -> None:
        """Trains from the endpoints, for at least so many seconds. Raises Failed."""
        seconds = used = carried = 0.0
        while seconds < at_least:
            sent = self.client.ask("seal", _PASS_S)["bytes"]
            before, cpu_before = self._counter("rx"), self._used()
            seconds += self.client.ask("send", _PASS_S)["seconds"]
            used += self._used() - cpu_before
            arrived = self._counter("rx") - before
            if not 0.99 * sent <= arrived <= 1.01 * sent:
                raise Failed(f"up: {sent:.0f} bytes were sent, {arrived} came out of the router")
            carried += arrived
        self.ups.append(Rate(carried, seconds, used))

    def down(self, seconds: float) -> None:
        """Trains to the endpoints, for so many seconds. Raises Failed."""
        sender = self._pair.start(
            "b",
            "downstream",
            [
                *("/usr/bin/python3", CHECKOUT / "bench" / "downstream.py"),
                *("--sessions", str(self.sessions), "--train", str(self._train)),
                *("--seconds", str(seconds + 10 * _FLOW_S)),
            ],
        )
        try:
            time.sleep(_FLOW_S)
            before, sent = self._counter("tx"), self._counter("tx", LINK)
            cpu_before, began = self._used(), time.monotonic()
            time.sleep(seconds)
            passed, used = time.monotonic() - began, self._used() - cpu_before
            taken = self._counter("tx") - before
            left = self._counter("tx", LINK) - sent
            self._pair.check()
        finally:
            self._pair.end(sender)
        if not taken or left < 0.99 * taken:
            raise Failed(f"down: the router took {taken} bytes and sent {left}")
        self.downs.append(Rate(taken, passed, used))

    def resident_mb(self) -> tuple[float, float]:
        """Of all the agent's processes, and of the main one."""
        pid = self.router.pid
        return proc.resident_mb(pid, descendants=True), proc.resident_mb(pid)

    def _used(self) -> float:
        return proc.seconds([self.router.pid])

    def _counter(self, direction: str, device: str = DEVICE) -> int:
        (found,) = self._pair.host("b").ip_json("-statistics", "link", "show", "dev", device)
        return int(found["stats64"][direction]["bytes"])


@dataclass
class _Result:
    sessions: int
    handshakes: _Handshakes
    rss_mb: float
    main_mb: float
    sites: Sequence[_Site] = field(default_factory=tuple)

    @property
    def rate_ratio(self) -> float:
        one, many = (_median_both(site) for site in self.sites)
        return many / one


def measure(options: argparse.Namespace, places: Places) -> int:
    """Measure and print. Raises Failed."""
    watch = Watch()
    python = agents.python(places)
    with Pair() as first, Pair() as second:
        one = _Site(first, python, 1, options.train)
        many = _Site(second, python, options.sessions, options.train)
        for site in (one, many):
            site.wait_until_it_listens()
        progress(f"{options.sessions} handshakes")
        one.connect()
        handshakes = many.connect()
        resident, main = many.resident_mb()
        for number_ in range(1, options.rounds + 1):
            progress(f"round {number_} of {options.rounds}")
            for site in (one, many):
                site.up(options.seconds)
                site.down(options.seconds)
        result = _Result(options.sessions, handshakes, resident, main, (one, many))
    _print(watch, options, result)
    return 0


def _median_both(site: _Site) -> float:
    return both_ways(
        statistics.median(rate.per_cpu_second for rate in site.ups),
        statistics.median(rate.per_cpu_second for rate in site.downs),
    )


def _print(watch: Watch, options: argparse.Namespace, result: _Result) -> None:
    done = result.handshakes
    print(watch.described)
    print(watch.disturbance())
    handshakes = (
        f"{result.sessions} handshakes in {done.seconds:.2f} s,"
        f" {result.sessions / done.seconds:.0f} a second; {done.repeated} HELLOs repeated;"
        f" processor of the router {done.router_percent:.0f} %,"
        f" of the client {done.client_percent:.0f} %"
    )
    memory = (
        f"resident memory {result.rss_mb:.1f} MB, of which the main process {result.main_mb:.1f}"
    )
    how = (
        f"medians of {options.rounds} rounds of {options.seconds} s; trains of {options.train}"
        " UDP packets of 1400 bytes; CPU: the router's processes, user and system"
    )
    print(f"{handshakes}\n{memory}\n")
    rows = [["sessions", "up, GB/CPU s", "down", "both", "up, Gb/s", "down", "CPU %", "down"]]
    for site in result.sites:
        up = statistics.median(rate.per_cpu_second for rate in site.ups)
        down = statistics.median(rate.per_cpu_second for rate in site.downs)
        cells = [up / 1e9, down / 1e9, both_ways(up, down) / 1e9]
        cells += [
            statistics.median(rate.gbps for rate in rates) for rates in (site.ups, site.downs)
        ]
        busy = [
            statistics.median(rate.cpu_percent for rate in rates)
            for rates in (site.ups, site.downs)
        ]
        rows.append(
            [
                str(site.sessions),
                *(number(cell, 3) for cell in cells),
                *(number(cell, 0) for cell in busy),
            ]
        )
    print("\n".join([*plain(rows), how]))
    print("\ntargets")
    promised = targets.of_sessions(result.rate_ratio, result.rss_mb, done.seconds, result.sessions)
    print("\n".join(map(str, promised)))
    document.show(options.origin, rows, how, handshakes, memory)
    line = {
        "sessions": result.sessions,
        "rate_ratio": round(result.rate_ratio, 3),
        "rss_mb": round(result.rss_mb, 1),
        "handshake_s": round(done.seconds, 2),
    }
    print(json.dumps(line), flush=True)
