# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters: what an agent lacks after a change that it had before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Status = Mapping[str, Any]
"""What `nrs status --json` shows of one agent; empty where it does not answer."""

_MISSED_SHARE = 10
"""One tunnel in so many may go for reasons of its own meanwhile."""
_GROWTH = 2.0
"""So many times as fast drops may grow."""
_FEW = 100
"""So many drops say nothing."""


def drops_since(status: Status, before: Status, seconds: float) -> dict[str, float]:
    """What an agent has dropped up to now (`drops`), and how fast that grew (`rate`, a second)."""
    drops = _drops(status)
    return {"drops": drops, "rate": max(0.0, drops - _drops(before)) / max(seconds, 1.0)}


def change_lacks(
    status: Status,
    before: Status,
    drops: Mapping[str, float] | None = None,
    seconds: float = 0.0,
    protocol_changes: bool = False,
) -> list[str]:
    """What an agent lacks that it had `before`, a line for each.

    `drops` is what `drops_since` said `seconds` ago; without it drops are left out of account.
    Counts begin anew with a process. Where the tunnel protocol changes, peers that have yet to
    change have no tunnels and send what is dropped: of a router neither is asked, of an endpoint an
    active tunnel, whatever it had.
    """
    if not status:
        return ["it does not answer on its control socket"]
    if protocol_changes:
        return [*_of_protocol(status), *_of_egress(status, before)]
    return [
        *_of_tunnels(status, before),
        *_of_egress(status, before),
        *(_of_drops(status, drops, seconds) if drops is not None else ()),
    ]


def _is_router(status: Status) -> bool:
    return "egress_up" in status


def _of_tunnels(status: Status, before: Status) -> Iterator[str]:
    known = _up(before)
    if not _is_router(status):
        known &= _named(status)  # the inventory may have taken a router from it
    missed = sorted(known - _up(status))
    if len(missed) > len(known) // _MISSED_SHARE:
        yield "its tunnels with %s are not up again" % ", ".join(missed)
    # An endpoint chooses one; of a router that is a matter of its endpoints.
    if not _is_router(status) and _active(before) and not _active(status):
        yield "none of its tunnels is active"


def _of_protocol(status: Status) -> Iterator[str]:
    if not _is_router(status) and not _active(status):
        yield "none of its tunnels is active by the other tunnel protocol"


def _of_egress(status: Status, before: Status) -> Iterator[str]:
    if not status.get("egress_up", True) and before.get("egress_up", True):
        yield "it brings no packet to where its egress leads: %s" % status.get("egress_reason")
    known = before.get("passes", {})
    for family, state in status.get("passes", {}).items():
        if known.get(family) == "open" != state:
            yield "no %s packet is known to get from tunnels to its egress and back" % family


def _of_drops(status: Status, drops: Mapping[str, float], seconds: float) -> Iterator[str]:
    now, then = _drops(status), drops.get("drops", 0)
    grown = now - then if now >= then else now
    if grown > _FEW + _GROWTH * drops.get("rate", 0.0) * max(seconds, 1.0):
        yield "it has dropped %d packets in %d s" % (grown, seconds)


def _drops(status: Status) -> int:
    return sum(status.get("figures", {}).get("drops", {}).values())


def _tunnels(status: Status, state: str) -> set[str]:
    found = [tunnel for tunnel in status.get("tunnels", []) if tunnel.get(state)]
    return {str(tunnel.get("endpoint_id") or tunnel.get("router_id")) for tunnel in found}


def _named(status: Status) -> set[str]:
    """All that an endpoint is to have a tunnel with."""
    return {str(tunnel.get("router_id")) for tunnel in status.get("tunnels", [])}


def _up(status: Status) -> set[str]:
    return _tunnels(status, "up")


def _active(status: Status) -> set[str]:
    return _tunnels(status, "active")


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name to function."""
        return {"change_lacks": change_lacks, "drops_since": drops_since}
