"""Which networks the host is connected to at this moment."""

from __future__ import annotations

from contextlib import closing

from nrs.config.types import IPNetwork
from nrs.system.addresses import Addresses
from nrs.system.link_events import LinkEvents


def connected(tun: str) -> list[tuple[IPNetwork, str]]:
    """Each network with its interface, without those of the TUN device. Raises OSError."""
    addresses = Addresses()
    with closing(LinkEvents()) as events:
        addresses.take(events.first())
    return [(network, name) for name, _, network in addresses.networks() if name != tun]
