# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options that every module has."""

from __future__ import annotations


class ModuleDocFragment:
    """The connection to an API, and what the modules support."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - Where the API is, such as V(https://192.0.2.10:8090) or V(https://[2001:db8::10]:8090).
      - With several, the next one is asked when one does not answer.
    type: list
    elements: str
    required: true
  token:
    description:
      - A bearer token for this API, such as P(nrs.network_routing.api_token#lookup) makes for
        the run.
      - Where it is not set, the environment variable E(NRS_API_TOKEN) is used.
    type: str
  token_file:
    description:
      - A file on the host that runs the module, whose content is the token.
    type: path
  validate_certs:
    description:
      - Whether the certificate of an V(https://) API must be valid.
    type: bool
    default: true
  ca_path:
    description:
      - A file of CA certificates that an V(https://) API's certificate is checked against.
      - It is on the host that runs the module, where C(site.yml) has put the deployment's own,
        V(/etc/network-routing-system/ca.pem).
    type: path
  timeout:
    description:
      - Seconds to wait for an answer, each time a server is asked.
    type: float
    default: 10.0
notes:
  - Requests that can be repeated are tried three times at most, with growing pauses.
  - Redirects and proxies are not followed, so that the token reaches the named servers only.
"""
