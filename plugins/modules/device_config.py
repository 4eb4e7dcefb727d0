#!/usr/bin/python
# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module: what a device is configured to do, through the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: device_config
short_description: Set keys of a device's configuration through the network controller
version_added: "1.0.0"
description:
  - Lays O(config) over the configuration that the controller keeps for a device, and pushes the
    result only where it differs.
  - Sections are merged key by key; values and lists are replaced. Keys that are not named stay.
options:
  device_id:
    description:
      - The device's name in the inventory. It must have registered.
    type: str
    required: true
  config:
    description:
      - Keys of the device's own configuration file, with the nesting that they have there.
      - Secrets are not pushed, the controller refuses them; they belong in files on the hosts.
    type: dict
    required: true
extends_documentation_fragment:
  - nrs.network_routing.api
attributes:
  check_mode:
    description: Predicts whether and what would change, and changes nothing.
    support: full
  diff_mode:
    description: Returns the configuration before and after.
    support: full
author:
  - Contributors to the network routing system (@nrs)
seealso:
  - module: nrs.network_routing.network_device_info
"""

EXAMPLES = r"""
- name: Let endpoint_1 ask the load balancer more often
  nrs.network_routing.device_config:
    url: https://[::1]:8090
    ca_path: /etc/network-routing-system/ca.pem
    token: "{{ lookup('nrs.network_routing.api_token', 'https://192.0.2.11:8090') }}"
    device_id: endpoint_1
    config:
      load_balancer:
        poll_interval: 5
"""

RETURN = r"""
device_id:
  description: The device.
  returned: success
  type: str
  sample: endpoint_1
version:
  description: The version of the configuration; in check mode, the version before.
  returned: success
  type: int
  sample: 3
config:
  description: The whole configuration at the controller, or what it would be, in check mode.
  returned: success
  type: dict
  sample:
    load_balancer:
      poll_interval: 5
"""

from typing import Any
from urllib.parse import quote

from ansible_collections.nrs.network_routing.plugins.module_utils._client import Client
from ansible_collections.nrs.network_routing.plugins.module_utils._module import ApiModule, part
from ansible_collections.nrs.network_routing.plugins.module_utils._settings import (
    merged,
    same,
    secrets,
    shown,
)


def apply(client: Client, params: dict[str, Any], *, pretend: bool) -> dict[str, Any]:
    """Push what is wanted where it differs from what is there, or the device runs another's."""
    device_id = params["device_id"]
    named = quote(device_id, safe="")
    found = client.post("/config", {"device_id": device_id}, repeatable=True)
    before = part(found, "config", dict)
    version = part(found, "version", int)
    after = merged(before, params["config"])
    changed = not same(before, after)
    if not changed:
        # A device goes by no earlier version than it runs: this registry may be an older copy.
        device = client.get("/device/" + named)
        changed = part(device, "config_acknowledged", int) > version
    if changed and not pretend:
        answer = client.post("/push_config/" + named, {"config": after})
        version = part(answer, "version", int)
    return {
        "changed": changed,
        "device_id": device_id,
        "version": version,
        "config": shown(after),
        "diff": {"before": shown(before), "after": shown(after)},
    }


def main() -> None:
    """Entry point."""
    module = ApiModule(
        {
            "device_id": {"type": "str", "required": True},
            "config": {"type": "dict", "required": True},
        }
    )
    module.no_log_values.update(secrets(module.params["config"]))
    module.run(lambda client, params: apply(client, params, pretend=module.check_mode))


if __name__ == "__main__":
    main()
