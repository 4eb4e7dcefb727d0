# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters: the keys that open tunnels for one endpoint's addresses alone.

The agents compute the same: `tunnel/keys.py` and `tunnel/wire.py`, specified in docs/PROTOCOL.md,
sections 3 and 5.1.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.nrs.network_routing.plugins.plugin_utils._tunnel_keys import Keys

_MOST_PREFIXES = 16
_MOST_GENERATION = 65535
_NONE4 = ipaddress.IPv4Address(0)
"""What stands in a claim for an address that is absent."""
_NONE6 = ipaddress.IPv6Address(0)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def device_key(
    psk: str,
    endpoint_id: str,
    tun_ipv4: str | None,
    tun_ipv6: str | None,
    prefixes: Sequence[str] = (),
    epoch: int = 0,
    generation: int = 0,
) -> str:
    """The key, 64 hexadecimal digits, for routers that have the PSK itself.

    One of the two addresses may be empty. Raises AnsibleFilterError without the PSK in it.
    """
    keys = Keys("device_key", psk, epoch)
    claim = _claim(keys, endpoint_id, tun_ipv4, tun_ipv6, prefixes, generation)
    return keys.of_device(claim).hex()


def device_keys(
    psk: str,
    endpoint_id: str,
    tun_ipv4: str | None,
    tun_ipv6: str | None,
    prefixes: Sequence[str] = (),
    epoch: int = 0,
    routers: Sequence[dict[str, Any]] = (),
    generation: int = 0,
) -> dict[str, str]:
    """By `router_id`, the key for each router; one that `holds_psk` has no key of its own.

    Raises AnsibleFilterError without the PSK in it.
    """
    keys = Keys("device_keys", psk, epoch)
    claim = _claim(keys, endpoint_id, tun_ipv4, tun_ipv6, prefixes, generation)
    return {
        str(router["router_id"]): keys.of_device(
            claim, None if router.get("holds_psk") else str(router["router_id"])
        ).hex()
        for router in routers
    }


def _claim(
    keys: Keys,
    endpoint_id: str,
    tun_ipv4: str | None,
    tun_ipv6: str | None,
    prefixes: Sequence[str],
    generation: int,
) -> bytes:
    """A HELLO's claim."""
    number = isinstance(generation, int) and not isinstance(generation, bool)
    if not number or not 0 <= generation <= _MOST_GENERATION:
        raise keys.refused("generation must be a number from 0 to 65535: %r" % (generation,))
    if not isinstance(prefixes, (list, tuple)) or len(prefixes) > _MOST_PREFIXES:
        raise keys.refused("prefixes must be a list of at most 16 networks")
    if not tun_ipv4 and not tun_ipv6:
        raise keys.refused("neither tun_ipv4 nor tun_ipv6 is given")
    networks: list[Network] = sorted(
        (_parsed(keys, "prefixes", prefix, ipaddress.ip_network) for prefix in prefixes),
        key=lambda p: (p.version, int(p.network_address), p.prefixlen),
    )
    for one, other in itertools.pairwise(networks):
        if one.version == other.version and one.overlaps(other):
            raise keys.refused("prefixes: %s and %s overlap" % (one, other))
    name = keys.identifier("endpoint_id", endpoint_id)
    four = _parsed(keys, "tun_ipv4", tun_ipv4 or _NONE4, ipaddress.IPv4Interface).ip
    six = _parsed(keys, "tun_ipv6", tun_ipv6 or _NONE6, ipaddress.IPv6Interface).ip
    encoded = b"".join(
        bytes((p.version, p.prefixlen)) + p.network_address.packed.ljust(16, b"\0")
        for p in networks
    )
    counts = bytes((len(name), len(networks))) + generation.to_bytes(2, "big")
    return b"".join((counts, four.packed, six.packed, encoded, name))


def _parsed(keys: Keys, argument: str, text: object, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(str(text))  # a number would be an address too
    except ValueError as error:
        raise keys.refused("%s: %s" % (argument, error)) from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name to function."""
        return {"device_key": device_key, "device_keys": device_keys}
