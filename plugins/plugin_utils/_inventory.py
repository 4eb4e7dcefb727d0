# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the inventory says of a host, as the play of another host sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Undefined

HostVars = Mapping[str, Mapping[str, Any]]


def given(hostvars: HostVars, host: str, name: str, default: Any = None) -> Any:
    """The variable `name` of `host`, and nothing else of it, for a secret may be made only there.

    `default` where it is not set, or is made of one that is not set, such as a fact that was not
    gathered.
    """
    value = hostvars[host].get(name, default)
    return default if isinstance(value, Undefined) else value


def management_address(hostvars: HostVars, host: str) -> str:
    """Where other hosts reach the APIs of `host`: an address or a name."""
    named = given(hostvars, host, "nrs_management_address")
    return str(named or given(hostvars, host, "ansible_host") or host)
