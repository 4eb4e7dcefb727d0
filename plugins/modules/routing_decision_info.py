#!/usr/bin/python
# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module: which router a load balancer chooses for an endpoint."""

from __future__ import annotations

DOCUMENTATION = r"""
module: routing_decision_info
short_description: Ask a load balancer for an endpoint's best router
version_added: "1.0.0"
description:
  - Asks for the routing server that an access endpoint should use at this moment.
  - Fails with the reason when no router is usable.
options:
  endpoint_id:
    description:
      - The endpoint's name in the inventory.
    type: str
    required: true
  candidates:
    description:
      - The routers to choose among, which are those that the endpoint has tunnels to.
      - Without it, every router is a candidate.
    type: list
    elements: str
extends_documentation_fragment:
  - nrs.network_routing.api
attributes:
  check_mode:
    description: Can run in check mode and changes nothing.
    support: full
author:
  - Contributors to the network routing system (@nrs)
seealso:
  - module: nrs.network_routing.load_balancer_info
"""

EXAMPLES = r"""
- name: Which of its two routers should endpoint_1 use?
  nrs.network_routing.routing_decision_info:
    url: https://[::1]:8080
    ca_path: /etc/network-routing-system/ca.pem
    endpoint_id: endpoint_1
    candidates: [router_1, router_2]
  register: answer

- name: Show it
  ansible.builtin.debug:
    var: answer.decision.optimal_router_id
"""

RETURN = r"""
decision:
  description: The decision.
  returned: success
  type: dict
  contains:
    optimal_router_id:
      description: The router to use.
      type: str
    optimal_router_internal_ip:
      description: Its address towards the endpoints of the same site.
      type: str
    optimal_router_external_ip:
      description: Its public address.
      type: str
    business_server_ip:
      description: The server that routers must be able to reach.
      type: str
    score:
      description: The router's score, from 0 to 1.
      type: float
    timestamp:
      description: When the decision was made, in seconds since the epoch.
      type: float
  sample:
    optimal_router_id: router_2
    optimal_router_internal_ip: 2001:db8:1::2
    optimal_router_external_ip: 203.0.113.2
    business_server_ip: 198.51.100.10
    score: 0.91
    timestamp: 1790000000.0
"""

from typing import Any
from urllib.parse import quote

from ansible_collections.nrs.network_routing.plugins.module_utils._client import Client
from ansible_collections.nrs.network_routing.plugins.module_utils._module import ApiModule, part


def read(client: Client, params: dict[str, Any]) -> dict[str, Any]:
    """The decision for one endpoint."""
    query = {"candidates": ",".join(params["candidates"])} if params["candidates"] else None
    answer = client.get("/decision/" + quote(params["endpoint_id"], safe=""), query)
    part(answer, "optimal_router_id", str)
    return {"decision": answer}


def main() -> None:
    """Entry point."""
    options: dict[str, dict[str, Any]] = {
        "endpoint_id": {"type": "str", "required": True},
        "candidates": {"type": "list", "elements": "str"},
    }
    ApiModule(options).run(read)


if __name__ == "__main__":
    main()
