#!/usr/bin/python
# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module: an encrypted archive of a deployment's secrets and registries. The action does it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup
short_description: Write an encrypted archive of a deployment
version_added: "1.0.0"
description:
  - Runs on the control node and writes one file, encrypted with the vault password of the run. In
    it is a tar archive (gzip) of the secrets directory and the registries.
  - A file that holds the same already stays. One that is no such archive is not written over, nor
    one with secrets that the directory has lost.
options:
  file:
    description: The archive; nobody but its owner may read it.
    type: path
    required: true
  secrets_directory:
    description: Where the deployment's secrets are. Hidden files are left out.
    type: path
    required: true
  registries:
    description: By controller, a copy of its registry in base64; null for none.
    type: dict
    default: {}
  replace:
    description: Whether secrets and devices that only the earlier archive has are forgotten.
    type: bool
    default: false
attributes:
  check_mode:
    description: Can run in check mode, in which nothing is written.
    support: full
  diff_mode:
    description: Shows no secret, and so nothing.
    support: none
author:
  - Contributors to the network routing system (@nrs)
"""

EXAMPLES = r"""
- name: Keep the secrets
  nrs.network_routing.backup:
    file: /srv/backup/network.vault
    secrets_directory: "{{ lookup('nrs.network_routing.secrets_directory') }}"
"""

RETURN = r"""
contents:
  description: The names in the archive.
  returned: success
  type: list
  elements: str
  sample: [registries/lb, secrets/psk]
emptied:
  description:
    - The controllers without devices of which the earlier archive's copy, which has some, stays.
  returned: success
  type: list
  elements: str
"""
