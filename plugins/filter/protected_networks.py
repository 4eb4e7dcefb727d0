# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: where tunnels never lead, as the hosts of the inventory are managed there."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator, Sequence

Resolve = Callable[[str], Sequence[str]]


def _ask(name: str) -> list[str]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(answer[4][0]) for answer in found]


def protected_networks(
    addresses: Sequence[str], networks: Sequence[str] = (), resolve: Resolve = _ask
) -> list[str]:
    """Networks that hold all `addresses` and `networks`, sorted, none within another.

    Names among the addresses are looked up here, as the control node reaches hosts by them; one
    that leads nowhere, addresses of a link and the loopback's are left out. What is no network
    stays as it is: the agent will say what is wrong with it.
    """
    single = {address for text in addresses for address in _addresses(str(text), resolve)}
    found = [*map(ipaddress.ip_network, single)]
    wrong = []
    for text in networks:
        try:
            found.append(ipaddress.ip_network(str(text)))
        except ValueError:
            wrong.append(str(text))
    merged = (
        ipaddress.collapse_addresses(n for n in found if isinstance(n, ipaddress.IPv4Network)),
        ipaddress.collapse_addresses(n for n in found if isinstance(n, ipaddress.IPv6Network)),
    )
    return [*(str(network) for family in merged for network in family), *wrong]


def _addresses(
    text: str, resolve: Resolve
) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        candidates = [ipaddress.ip_address(text)]
    except ValueError:
        candidates = [ipaddress.ip_address(answer.partition("%")[0]) for answer in resolve(text)]
    for address in candidates:
        if not (address.is_loopback or address.is_link_local):
            yield address


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Name to function."""
        return {"protected_networks": protected_networks}
