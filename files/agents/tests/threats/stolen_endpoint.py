"""Plays a stolen endpoint: tries everything with what its disk holds, prints what worked.

    python -m tests.threats.stolen_endpoint network_access_endpoint.yaml

A line is `SERVICE: CREDENTIAL: WHAT`. OWN, NEIGHBOUR and ROUTER stand for the endpoint, another
one, and the router of its file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from nrs.config.loader import load
from nrs.endpoint.config import NetworkAccessEndpointConfig
from tests.threats import forgery
from tests.threats.attacker import worked
from tests.threats.attempts import BALANCER, CONTROLLER, attempts


def main(path: Path) -> Iterator[str]:
    """What worked."""
    config = load(path, NetworkAccessEndpointConfig)
    ca_file, tunnel = config.api.ca_file, config.tunnel
    assert ca_file is not None
    assert tunnel.device_key_file is not None
    assert tunnel.tun_ipv4 is not None
    own = config.endpoint.endpoint_id
    neighbour = f"{own[:-1]}{int(own[-1]) + 1}"
    names = {"OWN": own, "NEIGHBOUR": neighbour, "ROUTER": config.routers[0].router_id}
    address = tunnel.tun_ipv4.ip
    addresses = {"OWN": str(address), "NEIGHBOUR": str(address + 1)}
    device_key = tunnel.device_key_file.read_text(encoding="ascii").strip()
    secrets = {"its device key": device_key.encode(), "the CA's certificate": ca_file.read_bytes()}
    services = [(BALANCER, url) for url in config.load_balancer.url]
    services += [(CONTROLLER, url) for url in config.network_controller.url or ()]
    tokens = config.api.tokens([url for _, url in services])
    for service, url in services:
        token = tokens[url]
        credentials = {
            "its token": token,
            "its device key": device_key,
            "its token as an operator's": forgery.changed(token, role="operator"),
            "its token as the neighbour's": forgery.changed(token, sub=neighbour),
            **forgery.operators(url, secrets),
        }
        others = [other for other in tokens if other != url]
        credentials |= {f"its token for service {n}": tokens[o] for n, o in enumerate(others)}
        for line in worked(url, ca_file, attempts(service, names, addresses), credentials):
            yield f"{service}: {line}"


if __name__ == "__main__":
    print(*main(Path(sys.argv[1])), sep="\n")
