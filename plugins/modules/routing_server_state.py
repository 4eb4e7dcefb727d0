#!/usr/bin/python
# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module: whether a load balancer may send endpoints to a routing server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: routing_server_state
short_description: Set a routing server's state at a load balancer
version_added: "1.0.0"
description:
  - Sets what the operator wants of a routing server, in force at once and over restarts of the load
    balancer, and only where something else is set.
  - It steers endpoints as they ask and cuts no tunnel. C(nrs drain) on the router itself has a
    deadline.
  - Each load balancer has its own; with several, run the module for each of them.
options:
  server_id:
    description:
      - The routing server's name in the inventory. It must have reported to the load balancer.
    type: str
    required: true
  state:
    description:
      - V(active) lets the load balancer send endpoints there.
      - V(draining) sends them elsewhere where there is another router.
      - V(disabled) sends them there in no case.
    type: str
    choices: [active, draining, disabled]
    required: true
extends_documentation_fragment:
  - nrs.network_routing.api
attributes:
  check_mode:
    description: >-
      Predicts whether the state would change, and changes nothing. Fails for a router that the load
      balancer does not list.
    support: full
  diff_mode:
    description: Returns the state before and after.
    support: full
author:
  - Contributors to the network routing system (@nrs)
seealso:
  - module: nrs.network_routing.load_balancer_info
"""

EXAMPLES = r"""
- name: Send endpoints elsewhere before the maintenance of router_3
  nrs.network_routing.routing_server_state:
    url: https://[::1]:8080
    ca_path: /etc/network-routing-system/ca.pem
    token: "{{ lookup('nrs.network_routing.api_token', 'https://192.0.2.10:8080') }}"
    server_id: router_3
    state: draining

- name: Have it back
  nrs.network_routing.routing_server_state:
    url: https://[::1]:8080
    ca_path: /etc/network-routing-system/ca.pem
    token: "{{ lookup('nrs.network_routing.api_token', 'https://192.0.2.10:8080') }}"
    server_id: router_3
    state: active
"""

RETURN = r"""
server_id:
  description: The routing server.
  returned: success
  type: str
  sample: router_3
state:
  description: What is set for it, or would be, in check mode.
  returned: success
  type: str
  sample: draining
status:
  description: >-
    What the load balancer makes of it, as M(nrs.network_routing.load_balancer_info) says; before
    the change, in check mode. Null for one that has not reported since the load balancer's start.
  returned: success
  type: str
  sample: draining
reason:
  description: Why the status is not V(active), or null.
  returned: success
  type: str
  sample: drained at this load balancer
"""

from typing import Any
from urllib.parse import quote

from ansible_collections.nrs.network_routing.plugins.module_utils._client import ApiError, Client
from ansible_collections.nrs.network_routing.plugins.module_utils._module import (
    ApiModule,
    part,
    parts,
)


def apply(client: Client, params: dict[str, Any], *, pretend: bool) -> dict[str, Any]:
    """Set the state where it is another one."""
    server_id, state = params["server_id"], params["state"]
    listed = parts(client.get("/status"), "servers")
    found = next((one for one in listed if one.get("server_id") == server_id), None)
    if found is None and pretend:
        raise ApiError("routing server %r is not listed" % server_id, 404, "server_id")
    before = None if found is None else part(found, "state", str)
    told = found or {}
    changed = before != state
    if changed and not pretend:
        # One that is not listed may be known by its state alone.
        told = client.put("/servers/%s/state" % quote(server_id, safe=""), {"state": state})
        changed = part(told, "changed", bool)
    return {
        "changed": changed,
        "server_id": server_id,
        "state": state,
        "status": told.get("status"),
        "reason": told.get("reason"),
        "diff": {"before": {"state": before}, "after": {"state": state}},
    }


def main() -> None:
    """Entry point."""
    states = ["active", "draining", "disabled"]
    module = ApiModule(
        {
            "server_id": {"type": "str", "required": True},
            "state": {"type": "str", "choices": states, "required": True},
        }
    )
    module.run(lambda client, params: apply(client, params, pretend=module.check_mode))


if __name__ == "__main__":
    main()
