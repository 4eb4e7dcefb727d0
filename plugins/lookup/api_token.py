# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lookup: tokens for the APIs, made on the control node when they are asked for."""

from __future__ import annotations

DOCUMENTATION = r"""
name: api_token
short_description: Make tokens for the APIs
version_added: "1.0.0"
author: Contributors to the network routing system (@nrs)
description:
  - Makes a token on the control node for each service that is named, and notes it in the
    ledger there.
  - Without O(role) it is an operator's, ends after five minutes and is kept nowhere.
  - Tokens are secrets. Hand them to an option that is not shown, such as C(token) of this
    collection's modules.
options:
  _terms:
    description:
      - The services, each by the URL that the files of others have for it.
    required: true
  role:
    description: What the tokens are for.
    type: str
    choices: [operator, monitor, router, endpoint, service]
    default: operator
  id:
    description: The device's or service's id, or the operator's name.
    type: str
    default: ansible
  tun_ipv4:
    description: The device's IPv4 address inside the tunnel, empty for none that is fixed.
    type: str
    default: ''
  tun_ipv6:
    description: The device's IPv6 address inside the tunnel, empty for none that is fixed.
    type: str
    default: ''
  lifetime:
    description: Seconds after which V(operator) and V(monitor) end; those of devices do not.
    type: int
    default: 300
  secrets_directory:
    description:
      - Where the signing key and the ledger are; by default what the lookup
        P(nrs.network_routing.secrets_directory#lookup) says.
    type: str
    vars:
      - name: nrs_secrets_directory
  build_directory:
    description: Where the wheels for the hosts are kept.
    type: str
    default: ~/.cache/nrs-network-routing
    vars:
      - name: nrs_build_directory
  signing_key:
    description: The signing key in PEM, if it is not the one in the directory.
    type: str
    default: ''
    vars:
      - name: nrs_signing_key
"""

EXAMPLES = r"""
- name: Read the devices as somebody who can change nothing
  nrs.network_routing.network_device_info:
    url: https://[::1]:8090
    ca_path: /etc/network-routing-system/ca.pem
    token: >-
      {{ lookup('nrs.network_routing.api_token', 'https://192.0.2.11:8090', role='monitor') }}
"""

RETURN = r"""
_raw:
  description: A token for each of the services.
  type: list
  elements: str
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.nrs.network_routing.plugins.filter.agents_source import agents_source
from ansible_collections.nrs.network_routing.plugins.plugin_utils._secrets_directory import (
    secrets_directory,
)

_ROLE = Path(__file__).resolve().parents[2] / "roles" / "common"
_OF_PEOPLE = ("operator", "monitor")


class LookupModule(LookupBase):
    """The lookup of this file."""

    def run(
        self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[str]:
        """The tokens. Raises AnsibleLookupError without a token or key in it."""
        self.set_options(var_options=variables, direct=kwargs)
        given = {name: self._option(name) for name in ("id", "tun_ipv4", "tun_ipv6")}
        role = self._option("role")
        asked = {
            "source": agents_source(str(_ROLE)),
            "directory": self._option("secrets_directory") or secrets_directory(variables or {}),
            "cache": str(Path(self._option("build_directory")).expanduser()),
            "signing_key": self._option("signing_key"),
            "wanted": {"role": role, "urls": [str(term) for term in terms], **given},
            "lifetime": int(self._option("lifetime")) if role in _OF_PEOPLE else None,
        }
        done = subprocess.run(
            [sys.executable, str(_ROLE / "files" / "credentials.py"), "create"],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise AnsibleLookupError("api_token: %s" % done.stderr.strip())
        tokens: list[str] = json.loads(done.stdout)["tokens"]
        return tokens

    def _option(self, name: str) -> str:
        """What a variable says may be a template itself."""
        value = self.get_option(name)
        return "" if value is None else str(self._templar.template(value))
