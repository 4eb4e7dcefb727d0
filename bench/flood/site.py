"""The hosts: an endpoint and a routing server as `pair.py` has them, and a stranger.

They speak IPv6, as there a stranger has most addresses. The endpoint is in a /64 of its own; the
stranger has a link of its own to the routing server's host, and what it sends may say that it
comes from anywhere. What goes back to strangers is lost on that link, and what goes back to the
endpoint's neighbours at the endpoint's host.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

from nrs.system import control

from bench import agents, traffic
from bench.engines.base import INNER, Tunnel
from bench.flood import junk
from bench.flood.junk import Junk, Source
from bench.flood.line import Line
from bench.pair import LINK, Pair
from bench.tunnel import wait_until_it_works
from testbed import link, proc
from testbed.command import run
from testbed.failed import Failed
from testbed.process import Child

PORT = 51820
ENDPOINT = IPv6Address("2001:db8:a::1")
NEIGHBOURS = IPv6Network("2001:db8:a::/64")
ROUTER = IPv6Address("2001:db8:b::1")
ONE = IPv6Network("3fff:f00::1/128")
MANY = IPv6Network("3fff:f00::/24")
_STRAY = "stray0"
_BACK = "2001:db8:c::2"
"""The stranger's end, where its answers are lost."""
_TABLE = "nrs_bench_flood"
_TRACKED = Path("/proc/sys/net/netfilter/nf_conntrack_count")
_FIRST = ("chrt", "--fifo", "1")
"""What a line brings is handled before any process too."""
_WATCH_S = 5.0
_START_S = 20.0


class Site:
    """A routing server that runs, and what is around it."""

    def __init__(self, pair: Pair, python: Path, codec: str, generator: Path) -> None:
        self._pair, self._python, self._codec = pair, python, codec
        self._generator = generator
        self._psk = agents.new_psk()
        self._join()
        pair.host("b").batch([link.bridge("egress0"), *link.up("egress0")])
        tunnel = {
            "psk": self._psk,
            "key_modes": ["shared", "device"],
            "tun_ipv4": f"{INNER['b']}/16",
            "tun_ipv6": "fd00:10:1::1/32",
            "allow_input": [{"proto": "tcp", "port": traffic.IPERF3_PORT}],
        }
        self.router = agents.start_router(pair, python, codec, tunnel)
        self.router.wait_until(
            lambda: self.listening("--udp", PORT), _START_S, "the router listens"
        )

    def _join(self) -> None:
        a, b, stranger = self._pair.host("a"), self._pair.host("b"), self._pair.add("stranger")
        a.batch([link.address(f"{ENDPOINT}/64", LINK), f"route add {ROUTER} dev {LINK}"])
        stranger.set({"net/ipv6/conf/all/disable_ipv6": 1})
        b.batch([link.cable(_STRAY, _STRAY, stranger.name)])
        stranger.batch(link.up(_STRAY))
        self._macs = tuple(_mac(host.ip_json("link", "show", _STRAY)) for host in (b, stranger))
        b.batch(
            [
                link.address(f"{ROUTER}/64", LINK),
                *link.up(_STRAY, ["2001:db8:c::1/64"]),
                f"route add {ENDPOINT} dev {LINK}",
                f"route add {NEIGHBOURS} via {ENDPOINT} dev {LINK}",
                f"neigh add {_BACK} lladdr {self._macs[1].hex(':')} dev {_STRAY} nud permanent",
                f"route add {MANY} via {_BACK} dev {_STRAY}",
            ]
        )

    def listening(self, protocol: str, port: int) -> bool:
        """Whether somebody does on the router's host; `protocol` as `ss` takes it."""
        words = [
            "ss",
            "--no-header",
            protocol,
            "--listening",
            "--numeric",
            "sport",
            "=",
            f":{port}",
        ]
        return bool(run(self._pair.host("b").enter(*words)).strip())

    def start_endpoint(self) -> Child:
        """One that knows nothing of an earlier one."""
        shutil.rmtree(self._endpoints_directory, ignore_errors=True)
        return agents.start(
            self._pair,
            "a",
            self._python,
            "network-access-endpoint",
            {
                "endpoint": {"endpoint_id": "endpoint_a", "name": "endpoint a"},
                "tunnel": {
                    "psk": self._psk,
                    "tun_ipv4": INNER["a"],
                    "tun_ipv6": "fd00:10:100::1",
                    "routes": ["10.10.0.0/16", "fd00:10::/32"],
                },
                "routers": [
                    {
                        "router_id": "router_b",
                        "external_ip": str(ROUTER),
                        "bind_address": str(ENDPOINT),
                    }
                ],
                "load_balancer": {"url": agents.NOBODY},
            },
            self._codec,
        )

    @property
    def _endpoints_directory(self) -> Path:
        return self._pair.directory / "agent-a"

    def tunnel_status(self) -> dict[str, Any] | None:
        """What the endpoint says of its tunnel; None where it does not answer."""
        path = self._endpoints_directory / "network_access_endpoint.sock"
        try:
            (tunnel,) = control.request(path, "status")["tunnels"]
        except control.ControlError:
            return None
        return dict(tunnel)

    def wait_until_it_works(self, endpoint: Child) -> None:
        """Raises Failed."""
        wait_until_it_works(self._pair, Tunnel(INNER["b"], [self.router, endpoint]))

    def line(self) -> Line:
        """The endpoint's link. Raises OSError."""
        return Line(self._pair.host("a"), LINK, PORT)

    def of_session(self, endpoint: Child) -> tuple[int, bytes]:
        """The port that the endpoint sends from, and a datagram of its session. Raises Failed."""
        with self.line() as line:
            self.wait_until_it_works(endpoint)
            seen = line.of_session(_WATCH_S)
        return seen.port, seen.datagram

    @contextmanager
    def flooded(
        self, what: Junk, source: Source, rate: int, seconds: float, *, dropped: bool = False
    ) -> Iterator[list[float]]:
        """Junk at a rate, 0: as much as one core sends, for no longer than so many seconds.

        `dropped`: by nftables, as the last thing before the router's socket. What is given is empty
        until the end; then it has how many a second were sent. Raises Failed.
        """
        frame = junk.frame(what, source, ROUTER, PORT, (self._macs[0], self._macs[1]))
        file = self._pair.directory / "frame"
        file.write_bytes(frame.data)
        words: list[object] = [*_FIRST, "taskset", "-c", str(generators_processor())]
        words += [self._generator, _STRAY, file]
        words += [str(rate), str(seconds), *map(str, frame.random)]
        said: list[float] = []
        with self._dropping(dropped):
            child = self._pair.start("stranger", "junk", words)
            try:
                yield said
                child.check()
            finally:
                self._pair.end(child)
        told = json.loads(child.said)
        said.append(told["sent"] / told["seconds"])

    @contextmanager
    def _dropping(self, wanted: bool) -> Iterator[None]:
        if not wanted:
            yield
            return
        self._nft(
            f"add table inet {_TABLE};"
            f"add chain inet {_TABLE} input {{ type filter hook input priority -400; }};"
            f"add rule inet {_TABLE} input iifname {_STRAY} udp dport {PORT} drop"
        )
        try:
            yield
        finally:
            self._nft(f"delete table inet {_TABLE}")

    def _nft(self, commands: str) -> None:
        run(self._pair.host("b").enter("nft", commands))

    def router_seconds(self) -> float:
        """Processor time of its processes so far."""
        return proc.seconds([self.router.pid])

    def router_mb(self) -> float:
        """Resident memory of its processes."""
        return proc.resident_mb(self.router.pid, descendants=True)

    def unread(self) -> int:
        """Datagrams so far that a socket of the router's host had no room for."""
        path = f"/proc/{self.router.pid}/net/snmp6"
        for line in Path(path).read_text(encoding="ascii").splitlines():
            name, _, count = line.partition(" ")
            if name == "Udp6RcvbufErrors":
                return int(count)
        raise Failed(f"{path} has no Udp6RcvbufErrors")

    def tracked(self) -> int:
        """Flows that connection tracking has on the router's host."""
        with self._pair.host("b").inside():
            return int(_TRACKED.read_text(encoding="ascii"))

    def received(self) -> int:
        """Bytes so far of the TCP flows to the router's host that are open."""
        words = ["ss", "-tinH", "sport", "=", f":{traffic.IPERF3_PORT}"]
        return traffic.received_bytes(run(self._pair.host("b").enter(*words)))


def generators_processor() -> int:
    """The last one; everything else runs where the kernel puts it."""
    return max(os.sched_getaffinity(0))


def _mac(shown: list[dict[str, Any]]) -> bytes:
    return bytes.fromhex(str(shown[0]["address"]).replace(":", ""))
