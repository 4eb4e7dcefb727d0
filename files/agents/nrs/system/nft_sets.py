"""Networks as nft takes them (libnftables-json(5)). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import Any

from nrs.config.types import IPNetwork


def by_protocol(networks: Iterable[IPNetwork]) -> dict[str, list[dict[str, Any]]]:
    """Elements of a set each for `ip` and `ip6`; nft refuses those that overlap."""
    given = list(networks)
    four = collapse_addresses(one for one in given if isinstance(one, IPv4Network))
    six = collapse_addresses(one for one in given if isinstance(one, IPv6Network))
    return {
        protocol: [
            {"prefix": {"addr": str(one.network_address), "len": one.prefixlen}} for one in those
        ]
        for protocol, those in (("ip", four), ("ip6", six))
    }
