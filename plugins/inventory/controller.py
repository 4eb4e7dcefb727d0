# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inventory: the devices that a controller knows, as they are at present."""

from __future__ import annotations

DOCUMENTATION = r"""
name: controller
short_description: Live devices from the network controller
version_added: "1.0.0"
author: Contributors to the network routing system (@nrs)
description:
  - Makes a host of every device that is registered with the network controller, by the device's
    name, with C(network_device) as its one variable.
  - Its keys are those of M(nrs.network_routing.network_device_info), C(tunnels) as
    M(nrs.network_routing.network_topology_info) has them, and C(active_router), the router that an
    endpoint's traffic uses, or null.
  - The groups are C(nrs_routing_server) and C(nrs_network_access_endpoint) by kind, C(nrs_online)
    and C(nrs_offline) by state, and C(nrs_uses_ROUTER) of the endpoints that are online and whose
    traffic uses that router. In a group's name, letters that none may have are underscores.
  - It sets no address for Ansible. Give it beside the inventory that has them, or by O(compose).
  - The file's name has to end in C(nrs_controller.yml) or C(nrs_controller.yaml).
  - What devices say of themselves is never taken for a template.
options:
  plugin:
    description: Says whose file this is.
    type: str
    required: true
    choices: [nrs.network_routing.controller]
  token:
    description:
      - A bearer token for this API, of an operator or a monitor.
      - It may be a template, or encrypted with C(ansible-vault encrypt_string).
    type: str
    env:
      - name: NRS_API_TOKEN
  token_file:
    description: A file on the control node whose content is the token.
    type: path
  ca_path:
    description:
      - A file of CA certificates, on the control node, that an V(https://) API's certificate is
        checked against. The deployment's own is C(ca.pem) in its secrets directory.
    type: path
extends_documentation_fragment:
  - nrs.network_routing.api
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
"""

EXAMPLES = r"""
# mine.nrs_controller.yml
plugin: nrs.network_routing.controller
url: https://192.0.2.11:8090
ca_path: inventories/mine/.secrets/ca.pem
token: >-
  {{ lookup('nrs.network_routing.api_token', 'https://192.0.2.11:8090', role='monitor',
  secrets_directory='inventories/mine/.secrets') }}
strict: true
compose:
  ansible_host: network_device.tun_ipv4 or network_device.tun_ipv6
groups:
  behind_its_configuration: network_device.config_acknowledged != network_device.config_version
keyed_groups:
  - key: network_device.version
    prefix: nrs_version
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/nrs-inventory
cache_timeout: 60
"""

from collections.abc import Iterator
from typing import Any

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.group import to_safe_group_name
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.nrs.network_routing.plugins.module_utils._client import ApiError, Client
from ansible_collections.nrs.network_routing.plugins.module_utils._connection import (
    Unusable,
    connection,
)
from ansible_collections.nrs.network_routing.plugins.module_utils._module import (
    part,
    parts,
)

_ENDS = ("nrs_controller.yml", "nrs_controller.yaml")
_CONNECTION = ("url", "token", "token_file", "validate_certs", "ca_path", "timeout")


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """The inventory plugin of this file."""

    NAME = "nrs.network_routing.controller"

    def verify_file(self, path: str) -> bool:
        """Whether the file's name says that it is one for this plugin."""
        return bool(super().verify_file(path)) and path.endswith(_ENDS)

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Add hosts and groups. Raises AnsibleParserError, which names the file and no token."""
        super().parse(inventory, loader, path, cache)
        try:
            config = self._read_config_data(path)
            unknown = sorted(set(config).difference(self.option_definitions))
            if unknown:
                raise Unusable("%s is no key of this file" % ", ".join(map(repr, unknown)))
            for device in devices(self._topology(path, cache=cache)):
                self._add(device)
        except (AnsibleError, ApiError, Unusable) as error:
            raise AnsibleParserError("%s: %s" % (path, error)) from None

    def _topology(self, path: str, *, cache: bool) -> dict[str, Any]:
        """As the controller has it, or as the cache has it from the same one."""
        given = {name: self._given(name) for name in _CONNECTION}
        if given["token"] is not None and given["token_file"] is not None:
            raise Unusable("token and token_file exclude each other")
        to = connection(given)
        keeps, key = self.get_option("cache"), self.get_cache_key(path)
        if keeps and cache:
            kept = self._cache.get(key)
            if kept is not None and kept.get("urls") == list(to.urls):
                return dict(kept["topology"])
        answer = Client(to).get("/topology")
        # Before it is kept, for what is kept is not looked at again.
        found = {name: parts(answer, name) for name in ("devices", "tunnels")}
        if keeps:
            self._cache[key] = {"urls": list(to.urls), "topology": found}
        return found

    def _given(self, name: str) -> Any:
        value = self.get_option(name)
        if isinstance(value, list):
            return [str(self.templar.template(item)) for item in value]
        return str(self.templar.template(value)) if isinstance(value, str) else value

    def _add(self, device: dict[str, Any]) -> None:
        host = self.inventory.add_host(device["device_id"])
        self.inventory.set_variable(host, "network_device", _literal(device))
        for name in groups(device):
            group = to_safe_group_name(name, force=True, silent=True)
            self.inventory.add_child(self.inventory.add_group(group), host)
        strict, variables = self.get_option("strict"), self.inventory.get_host(host).get_vars()
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict=strict)
        self._add_host_to_keyed_groups(
            self.get_option("keyed_groups"), variables, host, strict=strict
        )


def devices(topology: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each device with its tunnels and the router that its traffic uses. Raises ApiError."""
    tunnels: dict[Any, list[dict[str, Any]]] = {}
    for tunnel in topology["tunnels"]:
        for end in ("endpoint_id", "router_id"):
            tunnels.setdefault(tunnel.get(end), []).append(tunnel)
    for device in topology["devices"]:
        name = part(device, "device_id", str)
        own = tunnels.get(name, [])
        used = [t["router_id"] for t in own if t.get("active") and t["endpoint_id"] == name]
        yield {**device, "tunnels": own, "active_router": used[0] if used else None}


def groups(device: dict[str, Any]) -> Iterator[str]:
    """The groups that a device is in."""
    yield "nrs_%s" % device.get("device_type")
    yield "nrs_%s" % device.get("status")
    if device["active_router"] and device.get("status") == "online":
        yield "nrs_uses_%s" % device["active_router"]


def _literal(value: Any) -> Any:
    """`value` with each text in it that could be a template kept from being one."""
    if isinstance(value, dict):
        return {key: _literal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_literal(item) for item in value]
    return wrap_var(value) if isinstance(value, str) and "{" in value else value
