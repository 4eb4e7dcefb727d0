# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters: how many hosts of a group change at once, and how many were lost by that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.nrs.network_routing.plugins.filter.interruption import changes_protocol
from ansible_collections.nrs.network_routing.plugins.plugin_utils._inventory import (
    HostVars,
    given,
)

ALL = ["100%"]


def rollout_slices(
    hostvars: HostVars,
    hosts: Sequence[str],
    careful: Sequence[int | str],
    tunnels: bool = False,
) -> list[int | str]:
    """For `serial`: `careful` where the release of one of `hosts` changes, else all at once.

    With `tunnels` also where their protocol changes, as none is up before all have changed. Where a
    play is only listed, nothing is known of them.
    """
    known = [host for host in hosts if host in hostvars]
    if tunnels and any(changes_protocol(hostvars, host) for host in known):
        return list(ALL)
    changes = any(given(hostvars, host, "__common_change") for host in known)
    return list(careful) if changes else list(ALL)


def lost_share(hostvars: HostVars, hosts: Sequence[str]) -> float:
    """Percent of those of `hosts` that have begun to change and have not come through."""
    begun = [host for host in hosts if given(hostvars, host, "__common_change_begun", False)]
    lost = [host for host in begun if not given(hostvars, host, "__common_change_ended", False)]
    return 100.0 * len(lost) / len(begun) if begun else 0.0


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name to function."""
        return {"rollout_slices": rollout_slices, "lost_share": lost_share}
