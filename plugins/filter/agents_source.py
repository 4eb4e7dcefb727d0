# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: where the agents' sources are.

An archive that `bin/build` made has them inside the role, a checkout at its top:

    network_routing/
      roles/common/files/agents/     the archive
      files/agents/                  the checkout
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ansible.errors import AnsibleFilterError


def agents_source(role_path: str) -> str:
    """The directory of their `pyproject.toml`; raises AnsibleFilterError where there is none."""
    role = Path(str(role_path)).resolve()
    places = [top / "files" / "agents" for top in (role, role.parent.parent)]
    for place in places:
        if (place / "pyproject.toml").is_file():
            return str(place)
    raise AnsibleFilterError(
        f"the agents' sources are neither in {places[0]} nor in {places[1]}:"
        " install the collection from its checkout, or from an archive that bin/build made there"
    )


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Name to function."""
        return {"agents_source": agents_source}
