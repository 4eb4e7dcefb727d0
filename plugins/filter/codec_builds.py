# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: which hosts get the codec in C and which in Python, and what the other one takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.nrs.network_routing.plugins.filter.build_targets import build_targets
from ansible_collections.nrs.network_routing.plugins.plugin_utils._inventory import HostVars

_NAMED = 5
_WORDS = {"c": "in C", "python": "in Python, which carries about a third as much,"}


def codec_builds(
    hostvars: HostVars, hosts: Sequence[str], releases: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """A line for all `hosts` that are alike in this; `releases` are by build_wheelhouse.py.

    Where none was looked at the wheels are for any host.
    """
    alike: dict[str, list[str]] = {}
    for host in hosts:
        for kind in build_targets(hostvars, [host]):
            alike.setdefault(_said(kind, releases[kind]), []).append(host)
    if not alike:
        alike = {_said(kind, release): ["any host"] for kind, release in releases.items()}
    return [f"{said.format(hosts=_names(alike[said]))}." for said in sorted(alike)]


def _said(kind: str, release: Mapping[str, Any]) -> str:
    target, wish = kind.split(" ")[:2]
    # A release that is refused is the one that the host has, which may be for another interpreter.
    built_for = release["stamp"].split(" ")[-1] if release["refused"] else target
    said = f"The codec {_WORDS[release['codec']]} for {built_for}: {{hosts}}"
    if release["codec"] == "c":
        return f"{said}; it is not built here: {release['lack']}" if release["lack"] else said
    if wish == "python":
        return f"{said}; as nrs_codec says"
    if release["lack"]:
        return f"{said}; in C: {release['lack']}"
    return f"{said}; in C with the next release, or at once, with a restart, by nrs_codec: c"


def _names(hosts: Sequence[str]) -> str:
    more = [f"{len(hosts) - _NAMED} more"] if len(hosts) > _NAMED else []
    return ", ".join([*hosts[:_NAMED], *more])


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Name to function."""
        return {"codec_builds": codec_builds}
