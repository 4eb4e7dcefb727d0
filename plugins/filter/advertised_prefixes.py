# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the networks behind the endpoints of an inventory."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence

from ansible_collections.nrs.network_routing.plugins.plugin_utils._inventory import (
    HostVars,
    given,
)


def advertised_prefixes(hostvars: HostVars, endpoints: Sequence[str]) -> list[str]:
    """What the access endpoints advertise, each once.

    What is no network is left to the endpoint's own play.
    """
    found: dict[str, None] = {}
    for host in endpoints:
        listed = given(hostvars, host, "network_access_endpoint_advertise", ())
        for text in listed if isinstance(listed, (list, tuple)) else ():
            try:
                found[str(ipaddress.ip_network(str(text).strip()))] = None
            except ValueError:
                continue
    return list(found)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Name to function."""
        return {"advertised_prefixes": advertised_prefixes}
