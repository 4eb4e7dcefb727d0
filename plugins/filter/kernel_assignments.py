# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: kernel parameters as `sysctl` takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def kernel_assignments(parameters: Mapping[str, Any], settable: Sequence[str]) -> list[str]:
    """`KEY=VALUE` for those of `parameters` that are `settable`, in the order of these."""
    return [f"{key}={parameters[key]}" for key in settable]


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Name to function."""
        return {"kernel_assignments": kernel_assignments}
