# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the other hosts that have a host's identity."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ansible_collections.nrs.network_routing.plugins.plugin_utils._inventory import (
    HostVars,
    given,
)


def namesakes(
    hostvars: HostVars, hosts: Sequence[str], variable: str, own_host: str, own_identity: str
) -> list[str]:
    """Those of `hosts`, but `own_host`, whose `variable` or else name is `own_identity`."""
    return [
        host
        for host in hosts
        if host != own_host and str(given(hostvars, host, variable, host)) == str(own_identity)
    ]


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Name to function."""
        return {"namesakes": namesakes}
