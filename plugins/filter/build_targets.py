# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the kinds of host that wheels are built for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.nrs.network_routing.plugins.plugin_utils._inventory import (
    HostVars,
    given,
)


def build_targets(
    hostvars: HostVars, hosts: Sequence[str], configured: Sequence[Mapping[str, Any]] = ()
) -> list[str]:
    """Such as `["3.11-x86_64"]`: of the `hosts` that were looked at, or else as `configured`."""
    probes = [given(hostvars, host, "__common_probe") for host in hosts]
    found = [json.loads(probe["stdout"]) for probe in probes if probe]
    kinds = [(probe["python"], probe["machine"]) for probe in found]
    if not kinds:
        kinds = [(kind["version"], kind["machine"]) for kind in configured]
    return sorted({f"{python}-{machine}" for python, machine in kinds})


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Name to function."""
        return {"build_targets": build_targets}
