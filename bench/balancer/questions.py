"""The requests of a network's routers and endpoints, as `http_load` takes them. Pure."""

from __future__ import annotations

import argparse
import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

_STEPS = (1, 7, 31, 127)


def packed(requests: Iterable[bytes]) -> bytes:
    """Requests one after the other, each behind its length in this machine's byte order."""
    return b"".join(struct.pack("=I", len(request)) + request for request in requests)


def known(options: argparse.Namespace) -> str:
    """How much those who are asked know, and how they are measured."""
    return (
        f"{options.routers} routers and {options.endpoints} endpoints known;"
        f" medians of {options.rounds} rounds of {options.seconds} s"
    )


def hello(token: str) -> bytes:
    """What the bare route is asked, with the headers of the agents' client."""
    return _get("/hello", token)


def candidates(endpoint: int, routers: int) -> list[str]:
    """The routers that an endpoint has tunnels to: spread over all of them."""
    numbers = dict.fromkeys(
        (endpoint + step * (endpoint // routers + 1)) % routers for step in _STEPS
    )
    return [f"router_{number}" for number in numbers]


def decisions(tokens: Sequence[str], routers: int) -> Iterator[bytes]:
    """A question of each endpoint, under its token, which says which router it is using."""
    for endpoint, token in enumerate(tokens):
        names = candidates(endpoint, routers)
        query = f"candidates={'%2C'.join(names)}&current={names[0]}"
        yield _get(f"/decision/endpoint_{endpoint}?{query}", token)


def reports(tokens: Sequence[str], timestamp: float, packets: int) -> Iterator[bytes]:
    """Two reports of each router under its token, from more packets than `packets` on.

    A router that carries traffic without a packet more than before is not believed.
    """
    for number, token in [*enumerate(tokens), *enumerate(tokens)]:
        packets += 1
        body = json.dumps({**report(number, timestamp), "total_rx_packets": packets}).encode()
        yield (
            f"POST /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: python-requests/2\r\n"
            f"Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\n"
            f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n"
            f"Content-Type: application/json\r\n\r\n"
        ).encode() + body


def report(number: int, timestamp: float) -> dict[str, Any]:
    """What a router says that is busy to about a half; no two are the same."""
    share = 0.4 + 0.2 * (number * 37 % 100) / 100
    return {
        "server_id": f"router_{number}",
        "server_name": f"Router {number}",
        "timestamp": timestamp,
        "cpu_percent": round(100 * share, 1),
        "memory_percent": 35.2,
        "bandwidth_mbps": round(1000 * share, 3),
        "active_tunnels": number % 50 + 20,
        "total_rx_packets": 123456789,
        "total_tx_packets": 987654321,
        "internal_ip": f"198.18.{number // 250}.{number % 250 + 1}",
        "external_ip": f"2001:db8::{number + 1:x}",
    }


def _get(path: str, token: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: python-requests/2\r\n"
        f"Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
    ).encode()
