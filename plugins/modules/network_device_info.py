#!/usr/bin/python
# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module: the devices that a controller knows."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network_device_info
short_description: Read devices from the network controller
version_added: "1.0.0"
description:
  - Reads one device, or all, as registered with the network controller.
options:
  device_id:
    description:
      - The device's name in the inventory.
      - Without it, every device is returned. A device that is not registered, or
        was removed, gives an empty list.
    type: str
extends_documentation_fragment:
  - nrs.network_routing.api
attributes:
  check_mode:
    description: Can run in check mode and changes nothing.
    support: full
author:
  - Contributors to the network routing system (@nrs)
seealso:
  - module: nrs.network_routing.network_topology_info
  - module: nrs.network_routing.device_config
"""

EXAMPLES = r"""
- name: Read all devices
  nrs.network_routing.network_device_info:
    url: https://[::1]:8090
    ca_path: /etc/network-routing-system/ca.pem
  register: all

- name: Name those that are offline
  ansible.builtin.debug:
    msg: "{{ all.devices | selectattr('status', 'eq', 'offline') | map(attribute='device_id') }}"

- name: Read one device and its tunnels
  nrs.network_routing.network_device_info:
    url: https://[::1]:8090
    ca_path: /etc/network-routing-system/ca.pem
    device_id: endpoint_1
"""

RETURN = r"""
devices:
  description: The devices.
  returned: success
  type: list
  elements: dict
  contains:
    device_id:
      description: The device's name in the inventory.
      type: str
    device_type:
      description: V(routing_server) or V(network_access_endpoint).
      type: str
    name:
      description: Its display name.
      type: str
    tun_ipv4:
      description: Its IPv4 address inside the tunnel, null for none.
      type: str
    tun_ipv6:
      description: Its IPv6 address inside the tunnel, null for none.
      type: str
    internal_ip:
      description: A routing server's address towards endpoints of the same site.
      type: str
    external_ip:
      description: A routing server's public address.
      type: str
    port:
      description: A routing server's UDP port, the first of several.
      type: int
    ports:
      description: All UDP ports that a routing server listens at.
      type: list
      elements: int
    version:
      description: The version of its agent.
      type: str
    registered_at:
      description: When it first registered, in seconds since the epoch.
      type: float
    last_seen:
      description: When it last reported, in seconds since the epoch.
      type: float
    status:
      description: V(online) or V(offline).
      type: str
    config_version:
      description: The version of its configuration at the controller.
      type: int
    config_acknowledged:
      description: The version that the device last said it runs.
      type: int
    tunnels:
      description: The device's tunnels, as it reported them; only with O(device_id).
      type: list
      elements: dict
  sample:
    - device_id: endpoint_1
      device_type: network_access_endpoint
      name: Endpoint 1
      tun_ipv4: 10.10.100.1
      tun_ipv6: "fd00:100::1"
      status: online
      config_version: 0
      config_acknowledged: 0
"""

from typing import Any
from urllib.parse import quote

from ansible_collections.nrs.network_routing.plugins.module_utils._client import ApiError, Client
from ansible_collections.nrs.network_routing.plugins.module_utils._module import ApiModule, part


def read(client: Client, params: dict[str, Any]) -> dict[str, Any]:
    """All devices, or the one that is named."""
    if params["device_id"] is None:
        return {"devices": part(client.get("/devices"), "devices", list)}
    try:
        device = client.get("/device/" + quote(params["device_id"], safe=""))
    except ApiError as error:
        if error.status in (404, 410):
            return {"devices": []}
        raise
    part(device, "device_id", str)
    return {"devices": [device]}


def main() -> None:
    """Entry point."""
    ApiModule({"device_id": {"type": "str"}}).run(read)


if __name__ == "__main__":
    main()
