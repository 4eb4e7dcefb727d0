"""What has to be done to a namespace so that it looks as the topology says.

Pure: takes what `ip -json` reports, gives the lines for `ip -batch`. A namespace that
is as it should be gives no line at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_interface
from typing import Any

from lab.topology import Route
from testbed import link

Link = Mapping[str, Any]


def names(links: Iterable[Link]) -> set[str]:
    return {each["ifname"] for each in links}


def is_up(found: Link) -> bool:
    return "UP" in found["flags"]


def addresses(found: Link) -> set[str]:
    """The addresses of a link with their prefix lengths, in canonical form."""
    return {
        str(ip_interface(f"{info['local']}/{info['prefixlen']}"))
        for info in found.get("addr_info", ())
        if "local" in info
    }


def interface(links: Sequence[Link], name: str, wanted: Iterable[str]) -> list[str]:
    """Addresses that a link lacks, and bringing it up; the link itself exists already."""
    found = next((each for each in links if each["ifname"] == name), None)
    present = addresses(found) if found else set()
    lines = [
        link.address(address, name)
        for address in wanted
        if str(ip_interface(address)) not in present
    ]
    if found is None or not is_up(found):
        lines.append(f"link set {name} up")
    return lines


def routes(present: Iterable[Mapping[str, Any]], wanted: Iterable[Route]) -> list[str]:
    """The routes that are missing; ``present`` is both families' tables."""
    have = {
        (route.get("dst"), route.get("gateway"), route.get("dev"), route.get("metric"))
        for route in present
    }
    return [
        f"route add {route.destination} via {route.via} dev {route.device} metric {route.metric}"
        for route in wanted
        if (route.destination, route.via, route.device, route.metric) not in have
    ]
