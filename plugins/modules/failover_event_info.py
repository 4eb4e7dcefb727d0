#!/usr/bin/python
# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module: the moves of traffic that a controller was told of."""

from __future__ import annotations

DOCUMENTATION = r"""
module: failover_event_info
short_description: Read from the network controller when and why traffic moved
version_added: "1.0.0"
description:
  - Reads the moves of endpoints' traffic from one router to another, with their causes.
options:
  device_id:
    description:
      - The endpoint's name in the inventory, which has to be registered.
      - Without it, the moves of every endpoint are returned.
    type: str
  since:
    description:
      - Only moves that happened then or later, in seconds since the epoch.
    type: float
  limit:
    description:
      - At most so many, those that arrived last. The controller gives 1000 at a time.
    type: int
    default: 100
extends_documentation_fragment:
  - nrs.network_routing.api
attributes:
  check_mode:
    description: Can run in check mode and changes nothing.
    support: full
author:
  - Contributors to the network routing system (@nrs)
seealso:
  - module: nrs.network_routing.tunnel_info
  - module: nrs.network_routing.network_topology_info
"""

EXAMPLES = r"""
- name: Read what has moved in the last hour
  nrs.network_routing.failover_event_info:
    url: https://[::1]:8090
    ca_path: /etc/network-routing-system/ca.pem
    since: "{{ now().timestamp() - 3600 }}"
    limit: 1000
  register: moves

- name: Show what made endpoint_1 move last
  nrs.network_routing.failover_event_info:
    url: https://[::1]:8090
    ca_path: /etc/network-routing-system/ca.pem
    device_id: endpoint_1
    limit: 1
"""

RETURN = r"""
events:
  description: The moves, in the order in which they arrived.
  returned: success
  type: list
  elements: dict
  contains:
    device_id:
      description: The endpoint.
      type: str
    number:
      description: The endpoint's own count, from 1.
      type: int
    when:
      description: When it moved, in seconds since the epoch.
      type: float
    before:
      description: The router that traffic left, null at the agent's start.
      type: str
    after:
      description: The router that it has used since.
      type: str
    cause:
      description: Why it moved.
      type: str
    evidence:
      description: Each tunnel as it was.
      type: list
      elements: dict
    rejected:
      description: Why not another router, by its name.
      type: dict
    resent:
      description: How many packets were sent again.
      type: int
    flows_moved:
      description: How many flows changed the router at once.
      type: int
    gap_ms:
      description: >-
        Milliseconds from the last sign of life through the old tunnel to the first through the new
        one, or null.
      type: float
more:
  description: Whether there may be earlier ones that are asked for and not among these.
  returned: success
  type: bool
"""

from typing import Any

from ansible_collections.nrs.network_routing.plugins.module_utils._client import Client
from ansible_collections.nrs.network_routing.plugins.module_utils._module import (
    ApiModule,
    part,
    parts,
)

MOST = 1000
"""What the controller answers at once."""


def read(client: Client, params: dict[str, Any]) -> dict[str, Any]:
    """The moves of one endpoint or of all, the last ones."""
    limit, since = params["limit"], params["since"]
    # One more tells whether there are earlier ones; with a time they are sorted out here.
    asked = MOST if since is not None else min(limit + 1, MOST)
    query = {"limit": str(asked)}
    if params["device_id"] is not None:
        query["device_id"] = params["device_id"]
    told = parts(client.get("/events", query), "events")
    wanted = [one for one in told if since is None or part(one, "when", (int, float)) >= since]
    unseen = len(told) == MOST and wanted[:1] == told[:1]
    return {"events": wanted[-limit:], "more": len(wanted) > limit or unseen}


def main() -> None:
    """Entry point."""
    module = ApiModule(
        {
            "device_id": {"type": "str"},
            "since": {"type": "float"},
            "limit": {"type": "int", "default": 100},
        }
    )
    if not 1 <= module.params["limit"] <= MOST:
        found = module.params["limit"]
        module.fail_json(msg="limit must be from 1 to %d, found %d" % (MOST, found))
    module.run(read)


if __name__ == "__main__":
    main()
