# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the rules of ufw that open ports."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def ufw_rules(
    sources: Sequence[str], ports: Sequence[int | str], protocol: str, comment: str
) -> list[str]:
    """The commands that add the rules, as `ufw show added` prints them; no sources: everybody."""
    said = f"comment '{comment}'"
    if not sources:
        return [f"ufw allow {port}/{protocol} {said}" for port in ports]
    return [
        f"ufw allow from {source} to any port {port} proto {protocol} {said}"
        for port in ports
        for source in sources
    ]


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Name to function."""
        return {"ufw_rules": ufw_rules}
