# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lookup: where the deployment's secrets are on the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
name: secrets_directory
short_description: Directory of the deployment's secrets
version_added: "1.0.0"
author: Contributors to the network routing system (@nrs)
description:
  - C(.secrets) beside the first inventory of the run, the same for all its hosts; in the working
    directory where no inventory is a file, and E(NRS_SECRETS_DIRECTORY) where that is set.
  - Where secrets lie beside another inventory of the run, or inside of one, it is that directory.
    Secrets in two such places are an error that names both.
options:
  _terms:
    description: None.
    required: false
"""

EXAMPLES = r"""
- name: Say where they are
  ansible.builtin.debug:
    msg: "{{ lookup('nrs.network_routing.secrets_directory') }}"
"""

RETURN = r"""
_raw:
  description: The path.
  type: list
  elements: path
"""

from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible_collections.nrs.network_routing.plugins.plugin_utils._secrets_directory import (
    secrets_directory,
)


class LookupModule(LookupBase):
    """The lookup of this file."""

    def run(
        self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[str]:
        """The one path. Raises AnsibleError where secrets lie in two places."""
        return [secrets_directory(variables or {})]
