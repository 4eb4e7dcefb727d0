"""The lab's network namespaces and the links between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from lab import plan
from lab.topology import Host, Interface, Segment, Topology
from testbed import link, proc, process
from testbed.command import run
from testbed.failed import Failed
from testbed.namespace import RUN_DIRECTORY, Namespace, existing

BRIDGE = "br0"

# New namespaces inherit some of these from the machine, so each is stated.
_COMMON = {
    "net/ipv4/ip_forward": 0,
    "net/ipv6/conf/all/forwarding": 0,
    "net/ipv6/conf/all/disable_ipv6": 0,
    "net/ipv6/conf/default/disable_ipv6": 0,
    "net/ipv6/conf/default/accept_ra": 0,
    # No waiting for duplicate address detection, neither at the start nor after a join.
    "net/ipv6/conf/default/accept_dad": 0,
    "net/ipv6/conf/default/dad_transmits": 0,
    # A host with two uplinks sees answers on the one that its routes do not prefer.
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/default/rp_filter": 2,
}
_FORWARDING = {
    "net/ipv4/ip_forward": 1,
    "net/ipv6/conf/all/forwarding": 1,
    # The far end of a cut cable keeps its addresses, as an access router does.
    "net/ipv6/conf/all/keep_addr_on_down": 1,
    "net/ipv6/conf/default/keep_addr_on_down": 1,
}


class Network:
    """The namespaces of one lab; each method may be called again at any time."""

    def __init__(self, prefix: str, topology: Topology) -> None:
        self._prefix = prefix
        self._topology = topology

    def namespace(self, name: str) -> Namespace:
        """Of a host or a segment."""
        return Namespace(f"{self._prefix}-{name}")

    def up(self, name: str) -> Namespace:
        """The same of a lab that is up; raises Failed without one."""
        found = self.namespace(name)
        if not found.exists:
            raise Failed("the lab is not up: bin/lab up")
        return found

    def names(self) -> list[str]:
        """Namespaces of this lab that exist, whatever the topology says."""
        start = f"{self._prefix}-"
        return [found.name.removeprefix(start) for found in existing(start)]

    def build(self) -> int:
        """Make every namespace, link, address and route that is missing; returns how many were."""
        done = 0
        for segment in self._topology.segments:
            done += self._ensure_namespace(segment.namespace, forwards=not segment.bridged)
            done += self._ensure_bridge(segment)
        for host in self._topology.hosts:
            done += self._ensure_namespace(host.name, forwards=False)
            done += self._ensure_host(host)
        for segment in self._topology.segments:
            done += self._ensure_far_ends(segment)
        for host in self._topology.hosts:
            done += self._ensure_routes(host)
        return done

    def remove(self, keep: Iterable[str] = ()) -> None:
        """Delete the namespaces, ending what still runs in them."""
        for name in self.names():
            self._end_processes(name, spare=name in keep)
            if name not in keep:
                self.namespace(name).delete()
        if RUN_DIRECTORY.is_dir() and not any(RUN_DIRECTORY.iterdir()):
            # iproute2 mounts this directory on itself at its first use and never undoes it.
            run(["umount", RUN_DIRECTORY], check=False)
            with suppress(OSError):
                RUN_DIRECTORY.rmdir()

    def cut(self, host: Host, interface: Interface) -> None:
        """Pull the cable: the interface stays up and keeps its addresses but loses its carrier."""
        self._set_far_end(host, interface, "down")

    def join(self, host: Host, interface: Interface) -> None:
        self._set_far_end(host, interface, "up")

    def cut_interfaces(self) -> list[tuple[Host, Interface]]:
        """The interfaces whose cable is pulled."""
        found = []
        for segment in self._topology.segments:
            if not self.namespace(segment.namespace).exists:
                continue
            links = self._links(segment.namespace)
            down = {found["ifname"] for found in links if not plan.is_up(found)}
            found += [
                (host, interface)
                for host, interface in self._topology.attached(segment.name)
                if host.peer_name(interface) in down
            ]
        return found

    def _set_far_end(self, host: Host, interface: Interface, state: str) -> None:
        far = self.up(self._topology.segment(interface.segment).namespace)
        far.ip("link", "set", host.peer_name(interface), state)

    def _ensure_namespace(self, name: str, *, forwards: bool) -> int:
        if self.namespace(name).exists:
            return 0
        self.namespace(name).add(_COMMON | (_FORWARDING if forwards else {}))
        return 1

    def _ensure_bridge(self, segment: Segment) -> int:
        if not segment.bridged:
            return 0
        links = self._links(segment.namespace)
        lines = [] if BRIDGE in plan.names(links) else [link.bridge(BRIDGE)]
        lines += plan.interface(links, BRIDGE, segment.addresses)
        return self.namespace(segment.namespace).batch(lines)

    def _ensure_host(self, host: Host) -> int:
        links = self._links(host.name)
        lines = []
        for interface in host.interfaces:
            if interface.name not in plan.names(links):
                self._add_link(host, interface)
            lines += plan.interface(links, interface.name, interface.addresses)
        return self.namespace(host.name).batch(lines)

    def _add_link(self, host: Host, interface: Interface) -> None:
        segment = self._topology.segment(interface.segment)
        far, peer = self.namespace(segment.namespace), host.peer_name(interface)
        self.namespace(host.name).batch([link.cable(interface.name, peer, far.name)])
        if segment.bridged:
            far.ip("link", "set", peer, "master", BRIDGE)

    def _ensure_far_ends(self, segment: Segment) -> int:
        links = self._links(segment.namespace)
        lines: list[str] = []
        for host, interface in self._topology.attached(segment.name):
            lines += plan.interface(links, host.peer_name(interface), interface.gateways)
        return self.namespace(segment.namespace).batch(lines)

    def _ensure_routes(self, host: Host) -> int:
        own = self.namespace(host.name)
        present = [
            route for family in ("-4", "-6") for route in own.ip_json(family, "route", "show")
        ]
        return own.batch(plan.routes(present, host.routes))

    def _end_processes(self, name: str, *, spare: bool) -> None:
        """End what runs in a namespace; ``spare``: only the idle SSH connections."""
        pids = set(self.namespace(name).pids()) - proc.ancestors()
        process.end_pids(pid for pid in pids if not spare or proc.name(pid) == "ssh")

    def _links(self, name: str) -> Sequence[plan.Link]:
        return self.namespace(name).ip_json("address", "show")
