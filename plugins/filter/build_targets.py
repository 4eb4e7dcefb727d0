# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the kinds of host that wheels are built for, as `release_choice.py` reads them."""

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
    """Such as `["3.11-x86_64 keep 1.0.0 0123abcd 3.11-x86_64"]`: interpreter, wish and release.

    Of the `hosts` that were looked at, or else as `configured`, `["3.11-x86_64 keep"]`.
    """
    kinds = {
        _kind(json.loads(probe["stdout"]), given(hostvars, host, "nrs_codec"))
        for host in hosts
        if (probe := given(hostvars, host, "__common_probe"))
    }
    return sorted(kinds or {f"{kind['version']}-{kind['machine']} keep" for kind in configured})


def _kind(probe: Mapping[str, Any], codec: str | None) -> str:
    words = (f"{probe['python']}-{probe['machine']}", codec or "keep", probe.get("release"))
    return " ".join(word for word in words if word)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Name to function."""
        return {"build_targets": build_targets}
