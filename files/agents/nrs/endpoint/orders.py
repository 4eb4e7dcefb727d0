"""What an endpoint's machine wants done, beside the orders about sessions (`tunnel/orders.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nrs.tunnel import orders


@dataclass(frozen=True, slots=True)
class SendHello:
    """Send a datagram to a router outside of any session."""

    router_id: str
    datagram: bytes


@dataclass(frozen=True, slots=True)
class JoinTrains:
    """Let the kernel join what arrives at the socket of a session, or not."""

    index: int
    allowed: bool


@dataclass(frozen=True, slots=True)
class SendAgain:
    """Send frames through a session that another one has sent before."""

    index: int
    frames: list[bytes]


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand packets to this host, as if they had come out of a tunnel."""

    packets: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class UseRouter:
    """Traffic goes through this router's tunnel from now on: keep that, then tell it."""

    router_id: str


Order = (
    orders.ForSession
    | orders.OpenSession
    | orders.SendControl
    | orders.Refuse
    | orders.Tell
    | JoinTrains
    | SendHello
    | SendAgain
    | Deliver
    | UseRouter
)
