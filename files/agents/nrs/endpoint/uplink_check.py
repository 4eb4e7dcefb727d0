"""Says at start what of the host's settings keeps tunnels from their uplinks, and what shows it."""

from __future__ import annotations

from collections.abc import Iterator

from pyroute2.netlink.exceptions import NetlinkError

from nrs.endpoint.uplink_plan import Arranged
from nrs.system.interface_settings import in_force
from nrs.system.way import leaves_by

_STRICT = 1
_ADVICE = "tunnel.manage_policy_routing: true arranges it"


def faults(found: Arranged, *, managed: bool) -> Iterator[str]:
    """A sentence for each. Raises OSError."""
    for bound, name in found.leaving:
        # The larger of two values, but 2 is the looser one.
        if bound.to.version != 4 or in_force(name, "rp_filter") != _STRICT:
            continue
        command = f"ip route get {bound.to} from {bound.source}"
        try:
            other = leaves_by(bound.to, bound.source)
        except NetlinkError:
            other = "nowhere"
        if other != name:
            advice = "another rule comes first (ip rule)" if managed else _ADVICE
            yield (
                f"tunnel to {bound.router_id}: the strict rp_filter of {name} refuses what comes"
                f" from {bound.to}, as {bound.source} is routed to {other} ({command}): {advice}"
            )
    for setting in sorted(found.settings):
        if in_force(setting.interface, setting.key) < setting.least:
            advice = "it may not be changed" if managed else _ADVICE
            yield (
                f"{setting.interface} answers ARP for another uplink in its network, whose tunnel"
                f" may die by it (sysctl {setting.name}, {setting.least} is needed): {advice}"
            )
