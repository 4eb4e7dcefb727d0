"""Plays a stolen endpoint at its router: claims everything with its device key, prints what worked.

    python -m tests.threats.stolen_key network_access_endpoint.yaml

A line is `router: CREDENTIAL: WHAT`. It is told of a router at the IPv6 address in the file.
"""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import secrets
import select
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from nrs.config.loader import load
from nrs.endpoint.config import NetworkAccessEndpointConfig
from nrs.tunnel.handshake import HandshakeError, Initiator, StaticKey
from nrs.tunnel.wire import Claim, KeyMode, Type

_AGAIN_S = 1.0
_TRIES = 5
_IPV6_FREEBIND = 78


def main(file: Path) -> Iterator[str]:
    """What worked."""
    config = load(file, NetworkAccessEndpointConfig)
    tunnel, router = config.tunnel, config.routers[0]
    assert tunnel.tun_ipv4 is not None
    assert tunnel.tun_ipv6 is not None
    own = Claim(config.endpoint.endpoint_id, tunnel.tun_ipv4.ip, tunnel.tun_ipv6.ip)
    neighbour = Claim("endpoint_2", tunnel.tun_ipv4.ip + 1, tunnel.tun_ipv6.ip + 1)
    network = ipaddress.IPv4Network("198.51.100.0/24")
    claims = {
        "OWN": own,
        "NEIGHBOUR": neighbour,
        "NEIGHBOUR with its own addresses": replace(own, endpoint_id=neighbour.endpoint_id),
        "OWN with the IPv4 address of NEIGHBOUR": replace(own, tun_ipv4=neighbour.tun_ipv4),
        "OWN with the IPv6 address of NEIGHBOUR": replace(own, tun_ipv6=neighbour.tun_ipv6),
        "OWN without an IPv4 address": replace(own, tun_ipv4=None),
        "OWN with a network behind it": replace(own, prefixes=(network,)),
        "OWN with all networks behind it": replace(
            own, prefixes=(ipaddress.IPv4Network("0.0.0.0/0"), ipaddress.IPv6Network("::/0"))
        ),
    }
    keys = {
        "its device key": StaticKey(tunnel.key, KeyMode.DEVICE, tunnel.key_epoch & 0xFF),
        "its device key as the key that all share": StaticKey(tunnel.key),
        "a key of its own": StaticKey(secrets.token_bytes(32), KeyMode.DEVICE),
    }
    to = (str(router.address), tunnel.port)
    with contextlib.ExitStack() as stack:
        asking: dict[socket.socket, tuple[str, Initiator]] = {}
        for (whose, key), (what, claim) in itertools.product(keys.items(), claims.items()):
            number = len(asking) + 1
            sock = stack.enter_context(_from(number))
            sock.connect(to)
            initiator = Initiator(key, claim, number, secrets.token_bytes, _stamp())
            asking[sock] = (f"router: {whose}: open a tunnel as {what}", initiator)
        yield from _opened(asking)


def _stamp() -> int:
    return time.time_ns() // 1000


def _from(number: int) -> socket.socket:
    """A socket at an address that nobody has used."""
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
    sock.bind((f"2001:db8:f000:{number:x}::1", 0))
    return sock


def _opened(asking: dict[socket.socket, tuple[str, Initiator]]) -> Iterator[str]:
    """What the router takes of that, within some tries."""
    for _ in range(_TRIES):
        for sock, (_, initiator) in asking.items():
            sock.send(initiator.hello())
        until = time.monotonic() + _AGAIN_S
        while (left := until - time.monotonic()) > 0:
            for sock in select.select([*asking], [], [], left)[0]:
                what, initiator = asking[sock]
                answer = sock.recv(2048)
                with contextlib.suppress(HandshakeError):
                    if answer[0] & 0x0F == Type.RETRY:
                        again = initiator.again(answer, _stamp(), secrets.token_bytes)
                        asking[sock] = what, again
                        sock.send(again.hello())
                        continue
                    initiator.finish(answer)
                    del asking[sock]
                    yield what


if __name__ == "__main__":
    print(*main(Path(sys.argv[1])), sep="\n")
