# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: why what a run writes into a directory of the control node is not kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ansible_collections.nrs.network_routing.plugins.plugin_utils import _execution_environment

_MOUNTS = Path("/proc/self/mountinfo")


def thrown_away(directory: str) -> str:
    """Empty where it is kept."""
    mounts = _MOUNTS.read_text(encoding="utf-8") if _MOUNTS.exists() else ""
    return _execution_environment.thrown_away(Path(str(directory)).resolve(), os.environ, mounts)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Name to function."""
        return {"thrown_away": thrown_away}
