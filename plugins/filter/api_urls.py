# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters: where the APIs of the inventory's hosts are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.nrs.network_routing.plugins.plugin_utils._inventory import (
    HostVars,
    given,
    management_address,
)


def api_url(address: str, port: int | str, plain: bool | str = False) -> str:
    """The URL of the API at `address`; an IPv6 address is bracketed (RFC 3986, section 3.2.2)."""
    scheme = "http" if boolean(plain) else "https"
    return f"{scheme}://{f'[{address}]' if ':' in address else address}:{port}"


def api_urls(
    hostvars: HostVars, hosts: Sequence[str], port_variable: str, default_port: int
) -> list[str]:
    """The URL of each host's API, in the order of `hosts`."""
    return [
        api_url(
            management_address(hostvars, host),
            given(hostvars, host, port_variable, default_port),
            given(hostvars, host, "nrs_api_plain", False),
        )
        for host in hosts
    ]


def management_addresses(hostvars: HostVars, hosts: Sequence[str]) -> list[str]:
    """The address or name of each host, in the order of `hosts`."""
    return [management_address(hostvars, host) for host in hosts]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name to function."""
        return {
            "api_url": api_url,
            "api_urls": api_urls,
            "management_addresses": management_addresses,
        }
