#!/usr/bin/python
# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module: what a load balancer decides by, beside what its file says."""

from __future__ import annotations

DOCUMENTATION = r"""
module: load_balancer_algorithm
short_description: Set keys of a load balancer's algorithm at runtime
version_added: "1.0.0"
description:
  - Lays keys over the C(algorithm) of the load balancer's file, in force at once and over restarts,
    and sets them only where they differ from what was set before.
  - Keys that are not named stay as they were set, or as the file says.
  - Each load balancer has its own; with several, run the module for each of them.
options:
  state:
    description:
      - V(present) sets the keys that are named, V(absent) takes back all that was set, so that the
        file alone counts.
    type: str
    choices: [present, absent]
    default: present
  weights:
    description: How much each figure of a routing server counts, relative to the others.
    type: dict
    suboptions:
      cpu:
        description: Weight of the headroom of the processors.
        type: float
      memory:
        description: Weight of the headroom of memory.
        type: float
      bandwidth:
        description: Weight of the headroom of bandwidth.
        type: float
      connections:
        description: Weight of the headroom of tunnels.
        type: float
  max_bandwidth_mbps:
    description: Bandwidth that a routing server can carry that does not say so itself, in Mb/s.
    type: float
  max_connections:
    description: Tunnels that a routing server can carry that does not say so itself.
    type: int
  routers:
    description:
      - The same for single routing servers, by name, each with O(max_bandwidth_mbps),
        O(max_connections) or both.
    type: dict
  anti_flap_threshold:
    description: Least score difference to switch.
    type: float
  anti_flap_hold_time:
    description: Seconds to hold before the next switch.
    type: float
  slow_start_time:
    description: Seconds in which a new or returning routing server takes a growing share.
    type: float
extends_documentation_fragment:
  - nrs.network_routing.api
attributes:
  check_mode:
    description: Predicts whether and what would change, and changes nothing.
    support: full
  diff_mode:
    description: Returns the algorithm before and after.
    support: full
author:
  - Contributors to the network routing system (@nrs)
seealso:
  - module: nrs.network_routing.load_balancer_info
"""

EXAMPLES = r"""
- name: Let endpoints switch for larger differences only
  nrs.network_routing.load_balancer_algorithm:
    url: https://[::1]:8080
    ca_path: /etc/network-routing-system/ca.pem
    token: "{{ lookup('nrs.network_routing.api_token', 'https://192.0.2.10:8080') }}"
    anti_flap_threshold: 0.1
    anti_flap_hold_time: 60

- name: Go by the file alone again
  nrs.network_routing.load_balancer_algorithm:
    url: https://[::1]:8080
    ca_path: /etc/network-routing-system/ca.pem
    token: "{{ lookup('nrs.network_routing.api_token', 'https://192.0.2.10:8080') }}"
    state: absent
"""

RETURN = r"""
algorithm:
  description: The algorithm in force, or what it would be, in check mode.
  returned: success
  type: dict
  sample:
    anti_flap_threshold: 0.1
set:
  description: What is set of it beside the file, or would be, in check mode.
  returned: success
  type: dict
  sample:
    anti_flap_threshold: 0.1
"""

from typing import Any

from ansible_collections.nrs.network_routing.plugins.module_utils._client import Client
from ansible_collections.nrs.network_routing.plugins.module_utils._module import ApiModule, part
from ansible_collections.nrs.network_routing.plugins.module_utils._settings import merged, same

WEIGHTS = ("cpu", "memory", "bandwidth", "connections")
KEYS: dict[str, dict[str, Any]] = {
    "weights": {"type": "dict", "options": {name: {"type": "float"} for name in WEIGHTS}},
    "max_bandwidth_mbps": {"type": "float"},
    "max_connections": {"type": "int"},
    "routers": {"type": "dict"},
    "anti_flap_threshold": {"type": "float"},
    "anti_flap_hold_time": {"type": "float"},
    "slow_start_time": {"type": "float"},
}


def apply(client: Client, params: dict[str, Any], *, pretend: bool) -> dict[str, Any]:
    """Set what is wanted where it differs from what is set."""
    found = client.get("/algorithm")
    before = part(found, "set", dict)
    wanted = {} if params["state"] == "absent" else merged(before, _stated(params))
    in_force = part(found, "algorithm", dict)
    changed = not same(before, wanted)
    after = merged(part(found, "file", dict), wanted) if changed else in_force
    if changed and not pretend:
        after = part(client.put("/algorithm", wanted), "algorithm", dict)
    return {
        "changed": changed,
        "algorithm": after,
        "set": wanted,
        "diff": {"before": in_force, "after": after},
    }


def _stated(params: dict[str, Any]) -> dict[str, Any]:
    """The keys that are given a value."""
    stated = {key: params[key] for key in KEYS if params[key] is not None}
    if "weights" in stated:
        weights = stated["weights"].items()
        stated["weights"] = {name: weight for name, weight in weights if weight is not None}
    return stated


def main() -> None:
    """Entry point."""
    states = {"type": "str", "choices": ["present", "absent"], "default": "present"}
    module = ApiModule({"state": states, **KEYS})
    module.run(lambda client, params: apply(client, params, pretend=module.check_mode))


if __name__ == "__main__":
    main()
