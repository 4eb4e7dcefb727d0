"""Where a request comes from."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from nrs.config.types import IPAddress, IPNetwork

REFUSED = "this service takes no requests out of tunnels (api.refused_networks)"


def address_of(remote: str | None) -> IPAddress | None:
    """The address that a socket or a server states; None where it states none."""
    try:
        address = ipaddress.ip_address((remote or "").partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def is_refused(remote: str | None, networks: Sequence[IPNetwork]) -> bool:
    """Whether a request from there is answered with nothing but REFUSED."""
    if not networks:
        return False
    address = address_of(remote)
    return address is None or any(address in network for network in networks)
