# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the key of a routing server's own, which device keys for it are made from."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.nrs.network_routing.plugins.plugin_utils._tunnel_keys import Keys


def router_key(psk: str, router_id: str, epoch: int = 0) -> str:
    """The key, 64 hexadecimal digits. Raises AnsibleFilterError without the PSK in it."""
    return Keys("router_key", psk, epoch).of_router(router_id).hex()


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Name to function."""
        return {"router_key": router_key}
