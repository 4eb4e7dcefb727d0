"""What iperf3 and ping say."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from testbed.failed import Failed

IPERF3_PORT = 5201
"""The one that iperf3 takes by itself."""
_RECEIVED = re.compile(r"\bbytes_received:([0-9]+)")
_REPLY = re.compile(r"\btime[=<]([0-9.]+) ms")


@dataclass(frozen=True)
class Tcp:
    """What has arrived of TCP flows, all together."""

    gbps: float
    gigabytes: float
    """10^9 bytes"""


@dataclass(frozen=True)
class Udp:
    """What has arrived of a UDP flow."""

    gbps: float
    """Of delivered UDP payload."""
    delivered: int
    loss_percent: float


@dataclass(frozen=True)
class Offer:
    """UDP to offer: bits a second as iperf3 takes them, and the payload of each packet."""

    rate: str
    size: int
    buffer: int
    """Bytes of both ends' socket buffers. With less than 100 ms of packets the receiver loses
    some by itself whenever it has to wait for a processor, whatever the tunnel does."""


def iperf3(
    server: str, seconds: float, *, reverse: bool = False, flows: int = 1, udp: Offer | None = None
) -> list[str]:
    """A client's command."""
    command = ["iperf3", "--client", server, "--time", str(max(1, round(seconds))), "--json"]
    command += ["--connect-timeout", "5000"]
    if reverse:
        command.append("--reverse")
    if flows > 1:
        command += ["--parallel", str(flows)]
    if udp:
        command += ["--udp", "--bitrate", udp.rate, "--length", str(udp.size)]
        command += ["--window", str(udp.buffer)]
    return command


def parse_tcp(output: str) -> Tcp:
    """Raises Failed."""
    total = _end(output, "sum_received")
    if not total["bytes"]:
        raise Failed("iperf3: nothing arrived")
    return Tcp(total["bits_per_second"] / 1e9, total["bytes"] / 1e9)


def parse_udp(output: str, size: int) -> Udp:
    """Of packets with `size` bytes of payload. Raises Failed."""
    total = _end(output, "sum")
    sent, lost = int(total["packets"]), int(total["lost_packets"])
    delivered = sent - lost
    if not sent or delivered <= 0:
        raise Failed("iperf3: nothing arrived")
    gbps = delivered * size * 8 / float(total["seconds"]) / 1e9
    return Udp(gbps, delivered, max(0.0, 100 * lost / sent))


def _end(output: str, key: str) -> dict[str, Any]:
    try:
        report = json.loads(output)
    except ValueError:
        raise Failed(f"iperf3: no report:\n{output.strip()}") from None
    if "error" in report:
        raise Failed(f"iperf3: {report['error']}")
    try:
        return dict(report["end"][key])
    except KeyError:
        raise Failed(f"iperf3: the report has no {key}") from None


def ping(address: str, seconds: float, a_second: int = 20) -> list[str]:
    """So many a second for this long; each is waited for for a second."""
    count = max(1, round(a_second * seconds))
    return ["ping", "-n", "-i", f"{1 / a_second:g}", "-c", str(count), "-W", "1", address]


def replies_ms(output: str) -> list[float]:
    """The round trip of each answer in ms."""
    return [float(text) for text in _REPLY.findall(output)]


def received_bytes(output: str) -> int:
    """What `ss -ti` says that the connections it lists have received, all together."""
    return sum(map(int, _RECEIVED.findall(output)))


def median_ms(replies: Sequence[float]) -> float:
    """Raises Failed where there was no answer."""
    if not replies:
        raise Failed("ping: no answer under load")
    return statistics.median(replies)
