# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: what is wrong with the networks that variables list."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from typing import Any


def network_faults(variables: Mapping[str, Any]) -> list[str]:
    """A line for each value of `variables`, name to list, that is no network without host bits."""
    return [fault for name, value in variables.items() for fault in _faults(name, value)]


def _faults(name: str, value: Any) -> Iterator[str]:
    if not isinstance(value, (list, tuple)):
        yield f"{name} must be a list of networks"
        return
    for item in value:
        text = str(item)  # a number would be an address too
        try:
            given = ipaddress.ip_interface(text)
        except ValueError:
            yield f"{name}: {text} is no network such as 10.0.0.0/8 or fd00::/8"
            continue
        if given.ip != given.network.network_address:
            yield f"{name}: {text} has host bits set; {given.network} was probably meant"


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Name to function."""
        return {"network_faults": network_faults}
