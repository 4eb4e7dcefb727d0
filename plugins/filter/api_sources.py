# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: from where a firewall lets the APIs be reached."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence


def api_sources(addresses: Sequence[str], networks: Sequence[str] = ()) -> list[str]:
    """Addresses and networks, sorted, none twice, and as ufw prints them.

    Of `addresses`, names are left out, for a firewall knows none. Of `networks`, what is none stays
    as it is: the firewall will say what is wrong with it.
    """
    known = (address for address in addresses if _as_printed(address))
    return sorted({_as_printed(source) or str(source) for source in (*known, *networks)})


def _as_printed(source: str) -> str:
    """A single address stands by itself; empty for what a firewall cannot look for."""
    try:
        network = ipaddress.ip_network(str(source), strict=False)
    except ValueError:
        return ""
    if "%" in str(network):
        return ""
    single = network.prefixlen == network.max_prefixlen
    return str(network.network_address if single else network)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Name to function."""
        return {"api_sources": api_sources}
