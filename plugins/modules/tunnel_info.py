#!/usr/bin/python
# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module: the tunnels of the agent on a host, as it sees them itself."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tunnel_info
short_description: Read an agent's tunnels on its own host
version_added: "1.0.0"
description:
  - Asks a routing server or an access endpoint on its control socket, as C(nrs status) does.
  - Runs on the host of the agent, as root, and needs neither the load balancer nor the controller.
options:
  unit:
    description:
      - The agent to ask.
      - Without it, the one that answers on this host.
    type: str
    choices: [routing_server, network_access_endpoint]
attributes:
  check_mode:
    description: Can run in check mode and changes nothing.
    support: full
author:
  - Contributors to the network routing system (@nrs)
seealso:
  - module: nrs.network_routing.network_topology_info
  - module: nrs.network_routing.failover_event_info
"""

EXAMPLES = r"""
- name: Read the tunnels of this host
  nrs.network_routing.tunnel_info:
  register: here

- name: Refuse to go on while something is not as it should be
  ansible.builtin.assert:
    that: here.problems == []
    fail_msg: "{{ here.problems | map(attribute='what') | join('; ') }}"

- name: Name the routers whose paths carry less than 1500 bytes
  ansible.builtin.debug:
    msg: >-
      {{ here.tunnels | selectattr('path_mtu') | selectattr('path_mtu', 'lt', 1500)
      | map(attribute='router_id') }}
  when: here.unit == 'network_access_endpoint'
"""

RETURN = r"""
unit:
  description: The agent that answered.
  returned: success
  type: str
  sample: network_access_endpoint
id:
  description: The device's name.
  returned: success
  type: str
  sample: endpoint_1
release:
  description: The stamp of the release that runs.
  returned: success
  type: str
active_router:
  description: >-
    The router that an endpoint's traffic uses, null while there is none; null for a routing server.
  returned: success
  type: str
  sample: router_1
problems:
  description: What is not as it should be.
  returned: success
  type: list
  elements: dict
  contains:
    what:
      description: A line that says it.
      type: str
    since:
      description: Since when, in seconds since the epoch.
      type: float
tunnels:
  description: The tunnels, with further figures that C(docs/OPERATIONS.md) names.
  returned: success
  type: list
  elements: dict
  contains:
    router_id:
      description: The routing server at the other end; only of an endpoint.
      type: str
    endpoint_id:
      description: The endpoint at the other end; only of a routing server.
      type: str
    up:
      description: Whether the tunnel is alive.
      type: bool
    active:
      description: Whether the endpoint's traffic uses it.
      type: bool
    rtt_ms:
      description: Round-trip time in milliseconds, null before the first measurement.
      type: float
    since:
      description: When the tunnel last went up or down, in seconds since the epoch.
      type: float
    address:
      description: Where the other end is.
      type: str
    path_mtu:
      description: Bytes of the longest IP packet that the path carries, null while unknown.
      type: int
  sample:
    - router_id: router_1
      up: true
      active: true
      rtt_ms: 0.41
      since: 1790000000.0
      path_mtu: 1500
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.nrs.network_routing.plugins.module_utils import _control

UNITS = ("routing_server", "network_access_endpoint")


def told(unit: str, status: dict[str, Any]) -> dict[str, Any]:
    """What the module returns of an agent's status."""
    tunnels = status.get("tunnels", [])
    used = [
        tunnel["router_id"]
        for tunnel in tunnels
        if tunnel.get("router_id") and tunnel.get("active")
    ]
    return {
        "unit": unit,
        "id": status.get("id"),
        "release": status.get("release"),
        "active_router": used[0] if used else None,
        "problems": status.get("problems", []),
        "tunnels": tunnels,
    }


def main() -> None:
    """Entry point."""
    options = {"unit": {"type": "str", "choices": list(UNITS)}}
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    asked = [module.params["unit"]] if module.params["unit"] else list(UNITS)
    found = {unit: status for unit in asked if (status := _control.status(unit)) is not None}
    if not found:
        paths = " or ".join(str(_control.path(unit)) for unit in asked)
        module.fail_json(msg="no agent answers at %s" % paths)
    if len(found) > 1:
        module.fail_json(msg="unit must be named, as there are two: %s" % ", ".join(found))
    ((unit, status),) = found.items()
    module.exit_json(changed=False, **told(unit, status))


if __name__ == "__main__":
    main()
