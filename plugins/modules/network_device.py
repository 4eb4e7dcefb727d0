#!/usr/bin/python
# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module: whether a device may register with a controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network_device
short_description: Remove a device from the network controller, or let it in again
version_added: "1.0.0"
description:
  - Has a device stay out of a controller, known to it or not, until it is let in again.
  - Each controller has its own devices; with several, run the module for each of them.
  - Its tokens are good at the services until the control node revokes them, as the playbooks
    C(remove_router.yml) and C(remove_endpoint.yml) do.
options:
  device_id:
    description: The device's id.
    type: str
    required: true
  state:
    description:
      - V(absent) removes it. What the controller knows of it goes, and nobody is given its
        addresses for a while.
      - V(present) lets one that was removed register again, which it does by itself; nothing is
        changed for any other.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - nrs.network_routing.api
attributes:
  check_mode:
    description: Predicts whether and what would change, and changes nothing.
    support: full
  diff_mode:
    description: Returns what the device was at the controller before, and what it is after.
    support: full
author:
  - Contributors to the network routing system (@nrs)
seealso:
  - module: nrs.network_routing.network_device_info
"""

EXAMPLES = r"""
- name: Have endpoint_1 stay out
  nrs.network_routing.network_device:
    url: https://[::1]:8090
    ca_path: /etc/network-routing-system/ca.pem
    token: "{{ lookup('nrs.network_routing.api_token', 'https://192.0.2.11:8090') }}"
    device_id: endpoint_1
    state: absent

- name: Let it in again
  nrs.network_routing.network_device:
    url: https://[::1]:8090
    ca_path: /etc/network-routing-system/ca.pem
    token: "{{ lookup('nrs.network_routing.api_token', 'https://192.0.2.11:8090') }}"
    device_id: endpoint_1
"""

RETURN = r"""
device_id:
  description: The device.
  returned: success
  type: str
  sample: endpoint_1
status:
  description:
    - V(registered), V(removed) or V(unknown), or what it would be, in check mode.
    - One that is V(unknown) may register.
  returned: success
  type: str
  sample: removed
removal:
  description: What the controller says of a removed device, with what is still owed.
  returned: when it is removed
  type: dict
  sample:
    device_id: endpoint_1
    removed_at: 1800000000.0
    tun_ipv4: 10.10.100.1
    tun_ipv6: fd00:100::1
    addresses_free_at: 1800086400.0
    owed: null
"""

from typing import Any
from urllib.parse import quote

from ansible_collections.nrs.network_routing.plugins.module_utils._client import ApiError, Client
from ansible_collections.nrs.network_routing.plugins.module_utils._module import ApiModule, part

_ABSENCE = {404: "unknown", 410: "removed"}


def apply(client: Client, params: dict[str, Any], *, pretend: bool) -> dict[str, Any]:
    """Remove the device, or let it in again, where it is not so already."""
    device_id = params["device_id"]
    path = "/device/" + quote(device_id, safe="")
    before = _status(client, path)
    removal: dict[str, Any] | None = None
    if params["state"] == "absent":
        after = "removed"
        if not pretend:
            removal = client.delete(path)
            part(removal, "changed", bool)
            removal.pop("changed")
        elif before == after:
            removal = _told(client, device_id)
    else:
        after = "unknown" if before == "removed" else before
        if after != before and not pretend:
            client.post(path + "/readmit", {}, repeatable=True)
    return {
        "changed": before != after,
        "device_id": device_id,
        "status": after,
        **({"removal": removal} if removal is not None else {}),
        "diff": {
            "before": {"device_id": device_id, "status": before},
            "after": {"device_id": device_id, "status": after},
        },
    }


def _status(client: Client, path: str) -> str:
    try:
        client.get(path)
    except ApiError as error:
        if error.status in _ABSENCE:
            return _ABSENCE[error.status]
        raise
    return "registered"


def _told(client: Client, device_id: str) -> dict[str, Any] | None:
    removed: list[dict[str, Any]] = part(client.get("/removed_devices"), "devices", list)
    return next((one for one in removed if one.get("device_id") == device_id), None)


def main() -> None:
    """Entry point."""
    states = {"type": "str", "choices": ["present", "absent"], "default": "present"}
    module = ApiModule({"device_id": {"type": "str", "required": True}, "state": states})
    module.run(lambda client, params: apply(client, params, pretend=module.check_mode))


if __name__ == "__main__":
    main()
