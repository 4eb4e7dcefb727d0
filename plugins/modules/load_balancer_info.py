#!/usr/bin/python
# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module: what a load balancer knows of the routers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: load_balancer_info
short_description: Read a load balancer's view of the routing servers
version_added: "1.0.0"
description:
  - Reads every routing server that reports to a load balancer, with its figures and its score.
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
  - module: nrs.network_routing.routing_decision_info
"""

EXAMPLES = r"""
- name: Read the scores of all routers
  nrs.network_routing.load_balancer_info:
    url: https://[::1]:8080
    ca_path: /etc/network-routing-system/ca.pem
  register: balancer

- name: Refuse to go on with fewer than two usable routers
  ansible.builtin.assert:
    that: balancer.load_balancer.active_servers >= 2

- name: Ask either of two load balancers from elsewhere
  nrs.network_routing.load_balancer_info:
    url:
      - https://192.0.2.10:8080
      - https://192.0.2.11:8080
    ca_path: /etc/network-routing-system/ca.pem
    token: "{{ lookup('nrs.network_routing.api_token', 'https://192.0.2.10:8080') }}"
"""

RETURN = r"""
load_balancer:
  description: The state of the load balancer.
  returned: success
  type: dict
  contains:
    timestamp:
      description: When the answer was made, in seconds since the epoch.
      type: float
    total_servers:
      description: Routing servers that have reported.
      type: int
    active_servers:
      description: Routing servers that endpoints may be sent to.
      type: int
    active_decisions:
      description: Endpoints that have a decision.
      type: int
    servers:
      description: Each routing server.
      type: list
      elements: dict
      contains:
        server_id:
          description: The server's name in the inventory.
          type: str
        server_name:
          description: Its display name.
          type: str
        status:
          description: >-
            V(active) where endpoints are sent there; else V(draining), V(egress_down), V(inactive)
            (no recent report) or V(disabled).
          type: str
        state:
          description: What was set for it, V(active), V(draining) or V(disabled).
          type: str
        reason:
          description: Why its status is not V(active), or null.
          type: str
        cpu_percent:
          description: Processor use.
          type: float
        memory_percent:
          description: Memory use.
          type: float
        bandwidth_mbps:
          description: Traffic through the tunnel in Mb/s.
          type: float
        active_tunnels:
          description: Endpoints connected.
          type: int
        score:
          description: From 0 to 1; more is better.
          type: float
  sample:
    timestamp: 1790000000.0
    total_servers: 1
    active_servers: 1
    active_decisions: 2
    servers:
      - server_id: router_1
        server_name: Router 1
        status: active
        state: active
        reason: null
        cpu_percent: 3.1
        memory_percent: 20.4
        bandwidth_mbps: 12.5
        active_tunnels: 2
        score: 0.94
"""

from typing import Any

from ansible_collections.nrs.network_routing.plugins.module_utils._client import Client
from ansible_collections.nrs.network_routing.plugins.module_utils._module import ApiModule, part


def read(client: Client, params: dict[str, Any]) -> dict[str, Any]:
    """The load balancer's status."""
    answer = client.get("/status")
    part(answer, "servers", list)
    return {"load_balancer": answer}


def main() -> None:
    """Entry point."""
    ApiModule().run(read)


if __name__ == "__main__":
    main()
