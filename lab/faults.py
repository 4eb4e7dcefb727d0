"""Silent loss between two hosts: links stay up, packets vanish.

Each segment's namespace has one nftables table with a set of address pairs per family.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from ipaddress import ip_address
from itertools import product

from lab.network import Network
from lab.topology import MANAGEMENT, Host, Segment, Topology
from testbed.command import run

TABLE = "nrs_lab_faults"
Pair = tuple[str, str]


def shared_segments(topology: Topology, host: Host, peer: Host) -> list[Segment]:
    """The segments that carry data between two hosts, or else the management one."""
    both = [s for s in topology.segments if host.on(s.name) and peer.on(s.name)]
    return [s for s in both if s.name != MANAGEMENT] or both


def one_way(segment: Segment, source: Host, destination: Host) -> list[Pair]:
    """Source and destination addresses of everything from one host to another."""
    here = [a for i in source.on(segment.name) for a in i.plain_addresses]
    there = [a for i in destination.on(segment.name) for a in i.plain_addresses]
    return [(a, b) for a, b in product(here, there) if _family(a) == _family(b)]


def pairs(segment: Segment, host: Host, peer: Host) -> list[Pair]:
    """Source and destination addresses of everything between two hosts, both ways."""
    return one_way(segment, host, peer) + one_way(segment, peer, host)


def table(segment: Segment) -> str:
    """nft script that makes the table; it changes nothing where the table exists."""
    family = "bridge" if segment.bridged else "inet"
    name = f"{family} {TABLE}"
    return "\n".join(
        [
            f"add table {name}",
            f"add set {name} pairs4 {{ type ipv4_addr . ipv4_addr; }}",
            f"add set {name} pairs6 {{ type ipv6_addr . ipv6_addr; }}",
            f"add chain {name} forward {{ type filter hook forward priority -10; }}",
            f"flush chain {name} forward",
            f"add rule {name} forward ip saddr . ip daddr @pairs4 counter drop",
            f"add rule {name} forward ip6 saddr . ip6 daddr @pairs6 counter drop",
            "",
        ]
    )


def script(segment: Segment, wanted: Iterable[Pair], *, drop: bool) -> str:
    """nft script that puts pairs into the sets or takes them out, from whatever state."""
    family = "bridge" if segment.bridged else "inet"
    lines = []
    for a, b in wanted:
        element = f"element {family} {TABLE} pairs{_family(a)} {{ {a} . {b} }}"
        lines.append(f"add {element}")
        if not drop:
            # Deleting fails where there is nothing, hence after the addition.
            lines.append(f"delete {element}")
    return table(segment) + "\n".join(lines) + "\n"


def affected(topology: Topology, segment: Segment, dropped: Iterable[Pair]) -> set[frozenset[str]]:
    """Names of the two hosts of each address pair."""
    owner = {
        address: host.name
        for host, interface in topology.attached(segment.name)
        for address in interface.plain_addresses
    }
    return {frozenset((owner[a], owner[b])) for a, b in dropped if a in owner and b in owner}


class Faults:
    def __init__(self, network: Network, topology: Topology) -> None:
        self._network = network
        self._topology = topology

    def set(self, host: Host, peer: Host, *, drop: bool) -> list[Segment]:
        """Start or stop dropping; returns the segments concerned."""
        segments = shared_segments(self._topology, host, peer)
        for segment in segments:
            nft = self._network.up(segment.namespace).enter("nft", "-f", "-")
            run(nft, stdin=script(segment, pairs(segment, host, peer), drop=drop))
        return segments

    def present(self) -> list[tuple[str, str]]:
        """The pairs of hosts between which packets are being dropped, by name."""
        found: set[frozenset[str]] = set()
        for segment in self._topology.segments:
            if self._network.namespace(segment.namespace).exists:
                found |= affected(self._topology, segment, self._dropped(segment))
        return sorted((min(names), max(names)) for names in found)

    def _dropped(self, segment: Segment) -> list[Pair]:
        own = self._network.namespace(segment.namespace)
        listed = json.loads(run(own.enter("nft", "-j", "list", "sets")) or "{}")
        elements = [
            element
            for item in listed.get("nftables", ())
            if item.get("set", {}).get("table") == TABLE
            for element in item["set"].get("elem", ())
        ]
        return [(e["concat"][0], e["concat"][1]) for e in elements]


def _family(address: str) -> int:
    return ip_address(address).version
