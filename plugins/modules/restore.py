#!/usr/bin/python
# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module: secrets of a deployment put back from an encrypted archive. The action does it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: restore
short_description: Put a deployment's secrets back
version_added: "1.0.0"
description:
  - Runs on the control node and reads what M(nrs.network_routing.backup) has written.
  - A secret that is there with another content stops it, before anything is changed. The ledger of
    tokens and certificates stay as they are where there are some; of two lists of revocations the
    later one stays.
  - A previous PSK comes back with the PSK alone.
options:
  file:
    description: The archive.
    type: path
    required: true
  secrets_directory:
    description: Where the secrets go; made where there is none.
    type: path
    required: true
  replace:
    description: Whether all that differs is written over, but for a later list of revocations.
    type: bool
    default: false
  thrown_away:
    description:
      - Why what is written is not there for the next run, as of
        P(nrs.network_routing.thrown_away#filter); then nothing is.
    type: str
    default: ""
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
- name: Have the secrets again
  nrs.network_routing.restore:
    file: /srv/backup/network.vault
    secrets_directory: "{{ lookup('nrs.network_routing.secrets_directory') }}"
"""

RETURN = r"""
restored:
  description: The files of the directory that were written.
  returned: success
  type: list
  elements: str
kept:
  description: Those that differ and stay.
  returned: success
  type: list
  elements: str
registries:
  description: By controller, its registry in base64.
  returned: success
  type: dict
"""
