# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters: what comes next in changing the PSK, and who still goes by the one before it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.nrs.network_routing.plugins.plugin_utils._inventory import (
    HostVars,
    given,
)

_EPOCHS = 256
_EPOCH = re.compile(r"^  key_epoch: ([0-9]+)$", re.MULTILINE)


def psk_rotation(files: Sequence[str], epoch: int | str, begun: str, has_previous: bool) -> str:
    """`begin`, `go on` or `done`: where the rotation to `epoch` of the inventory is.

    It is done as well where a router that was not reached goes by the PSK before, which has ended.

    `files` are the routers' configurations as they are deployed, `begun` the epoch that the control
    node has noted for the last rotation, or empty, `has_previous` whether it has the PSK before.
    Raises AnsibleFilterError where the epoch is not the next one of every router.
    """
    wanted = int(epoch)
    deployed = {int(found) for text in files for found in _EPOCH.findall(text)}
    if not deployed:
        raise AnsibleFilterError("no routing server says which key_epoch it goes by")
    if has_previous and begun and int(begun) != wanted:
        raise AnsibleFilterError(
            "the PSK is being changed to nrs_key_epoch %s, which has not ended: set that again,"
            " found %d" % (begun, wanted)
        )
    before = (wanted - 1) % _EPOCHS
    if has_previous and deployed <= {before, wanted}:
        return "go on"
    if wanted in deployed and deployed <= {before, wanted}:
        return "done"
    if has_previous or deployed != {before}:
        raise AnsibleFilterError(
            "nrs_key_epoch is %d, and routing servers go by %s: set it to one more for all hosts"
            % (wanted, " and ".join(map(str, sorted(deployed))))
        )
    return "begin"


def earlier_keys(
    hostvars: HostVars, groups: Mapping[str, Sequence[str]], variable: str, epoch: int | str
) -> list[str]:
    """The endpoints that no router has seen with a key of `epoch`, by id.

    They are those of the inventory, and any other that has a tunnel. `variable` of each routing
    server is the registered result of `nrs status --json` there.
    """
    up = [
        (str(tunnel["endpoint_id"]), tunnel.get("key_epoch"))
        for host in groups.get("routing_servers", ())
        for report in _reports(hostvars[host].get(variable))
        for tunnel in report.get("tunnels") or ()
        if tunnel.get("up") and "endpoint_id" in tunnel
    ]
    name = "network_access_endpoint_endpoint_id"
    expected = {
        str(given(hostvars, host, name, host))
        for host in groups.get("network_access_endpoints", ())
    }
    expected |= {endpoint for endpoint, _epoch in up}
    return sorted(expected - {endpoint for endpoint, own in up if own == int(epoch)})


def _reports(asked: Any) -> list[dict[str, Any]]:
    try:
        found = json.loads(asked["stdout"])
    except (TypeError, KeyError, ValueError):
        return []
    return found if isinstance(found, list) else [found]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name to function."""
        return {"psk_rotation": psk_rotation, "earlier_keys": earlier_keys}
