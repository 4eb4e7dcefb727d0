#!/usr/bin/python
# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module: the network as the controller sees it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network_topology_info
short_description: Read the network controller's topology
version_added: "1.0.0"
description:
  - Reads every registered device and every tunnel between an access endpoint and a routing server.
options: {}
extends_documentation_fragment:
  - nrs.network_routing.api
attributes:
  check_mode:
    description: Can run in check mode and changes nothing.
    support: full
author:
  - Contributors to the network routing system (@nrs)
seealso:
  - module: nrs.network_routing.network_device_info
"""

EXAMPLES = r"""
- name: Read the topology on the controller itself
  nrs.network_routing.network_topology_info:
    url: https://[::1]:8090
    ca_path: /etc/network-routing-system/ca.pem
  register: network

- name: Name the tunnels that are down
  ansible.builtin.debug:
    msg: "{{ network.topology.tunnels | rejectattr('up') }}"
"""

RETURN = r"""
topology:
  description: Devices and tunnels.
  returned: success
  type: dict
  contains:
    timestamp:
      description: When the answer was made, in seconds since the epoch.
      type: float
    devices:
      description: Every device, as M(nrs.network_routing.network_device_info) returns it.
      type: list
      elements: dict
    tunnels:
      description: Every tunnel that an endpoint has reported.
      type: list
      elements: dict
      contains:
        endpoint_id:
          description: The endpoint.
          type: str
        router_id:
          description: The routing server at the other end.
          type: str
        up:
          description: Whether the tunnel is alive.
          type: bool
        active:
          description: Whether the endpoint's traffic uses this tunnel.
          type: bool
        rtt_ms:
          description: Round-trip time in milliseconds, null before the first measurement.
          type: float
        since:
          description: When the tunnel last went up or down, in seconds since the epoch.
          type: float
  sample:
    timestamp: 1790000000.0
    devices: []
    tunnels:
      - endpoint_id: endpoint_1
        router_id: router_1
        up: true
        active: true
        rtt_ms: 0.41
        since: 1789990000.0
"""

from typing import Any

from ansible_collections.nrs.network_routing.plugins.module_utils._client import Client
from ansible_collections.nrs.network_routing.plugins.module_utils._module import ApiModule, part


def read(client: Client, params: dict[str, Any]) -> dict[str, Any]:
    """The topology."""
    answer = client.get("/topology")
    for key in ("devices", "tunnels"):
        part(answer, key, list)
    return {"topology": answer}


def main() -> None:
    """Entry point."""
    ApiModule().run(read)


if __name__ == "__main__":
    main()
