"""What the lab consists of: hosts, their interfaces and the segments that join them.

Pure data. Every address is from a documentation prefix (RFC 5737, RFC 3849) or a
unique local one (RFC 4193).

    control --- management bridge --- eth0 of every host

    endpoint_n up0, up1 --- internet (forwards) --- wan0 router_n egress0 --- egress bridge
                                                                                  |
                                                                            business eth1
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_interface, ip_network

MANAGEMENT = "management"
INTERNET = "internet"
EGRESS = "egress"

CONTROL_ADDRESSES = ("203.0.113.1/25", "fd88::1/64")


@dataclass(frozen=True)
class Segment:
    """A network between hosts, kept in a namespace of its own.

    A bridged one is a single Ethernet; a routed one is a router with a
    point-to-point link to each interface.
    """

    name: str
    namespace: str
    bridged: bool
    addresses: tuple[str, ...] = ()  # of the bridge itself, where something lives on it


@dataclass(frozen=True)
class Route:
    """A static route of a host; ``metric`` as in iproute2 (lower is preferred)."""

    destination: str  # a prefix, or "default"
    via: str
    device: str
    metric: int

    @property
    def family(self) -> int:
        return 6 if ":" in self.via else 4


@dataclass(frozen=True)
class Interface:
    name: str
    segment: str
    addresses: tuple[str, ...]
    gateways: tuple[str, ...] = ()  # the other end's addresses, on a routed segment

    @property
    def plain_addresses(self) -> tuple[str, ...]:
        """The addresses without their prefix lengths."""
        return tuple(str(ip_interface(address).ip) for address in self.addresses)


@dataclass(frozen=True)
class Host:
    name: str
    interfaces: tuple[Interface, ...]
    routes: tuple[Route, ...] = ()

    @property
    def hostname(self) -> str:
        """The name as DNS allows it."""
        return self.name.replace("_", "-")

    def interface(self, name: str) -> Interface:
        """Raises KeyError where the host has no such interface."""
        for interface in self.interfaces:
            if interface.name == name:
                return interface
        raise KeyError(name)

    def on(self, segment: str) -> tuple[Interface, ...]:
        return tuple(i for i in self.interfaces if i.segment == segment)

    def peer_name(self, interface: Interface) -> str:
        """Name of the interface's other end, in the segment's namespace (15 characters at most)."""
        routed = interface.segment == INTERNET
        return f"{self.name}-{interface.name}" if routed else self.name


@dataclass(frozen=True)
class Topology:
    segments: tuple[Segment, ...]
    hosts: tuple[Host, ...]

    def host(self, name: str) -> Host:
        """Raises KeyError where there is no such host."""
        for host in self.hosts:
            if name in (host.name, host.hostname):
                return host
        raise KeyError(name)

    def segment(self, name: str) -> Segment:
        return next(s for s in self.segments if s.name == name)

    def attached(self, segment: str) -> Iterator[tuple[Host, Interface]]:
        """Every interface on a segment, with its host."""
        for host in self.hosts:
            for interface in host.on(segment):
                yield host, interface


def lab() -> Topology:
    """The lab: one load balancer, one controller, three routers, two endpoints, one server."""
    return Topology(
        segments=(
            Segment(MANAGEMENT, "control", bridged=True, addresses=CONTROL_ADDRESSES),
            Segment(INTERNET, "internet", bridged=False),
            Segment(EGRESS, "egress", bridged=True),
        ),
        hosts=(
            Host("lb", (_management(11),)),
            Host("controller", (_management(12),)),
            *(_router(number) for number in (1, 2, 3)),
            *(_endpoint(number) for number in (1, 2)),
            _business(),
        ),
    )


def _management(number: int) -> Interface:
    return Interface("eth0", MANAGEMENT, (f"203.0.113.{number}/25", f"fd88::{number}/64"))


def _uplink(name: str, ipv4_subnet: str, ipv6_subnet: str) -> Interface:
    """An interface whose other end is the routed segment: first address there, second here."""
    subnets = (ip_network(ipv4_subnet), ip_network(ipv6_subnet))
    return Interface(
        name,
        INTERNET,
        addresses=tuple(f"{net[2]}/{net.prefixlen}" for net in subnets),
        gateways=tuple(f"{net[1]}/{net.prefixlen}" for net in subnets),
    )


def _routes(interface: Interface, destinations: tuple[str, str], metric: int) -> tuple[Route, ...]:
    """One route a family through the interface's gateways."""
    return tuple(
        Route(destination, str(ip_interface(gateway).ip), interface.name, metric)
        for destination, gateway in zip(destinations, interface.gateways, strict=True)
    )


def _endpoint(number: int) -> Host:
    links = tuple(
        _uplink(
            f"up{k}",
            f"192.0.2.{8 * (number - 1) + 4 * k}/30",
            f"2001:db8:1:{number}{k}::/64",
        )
        for k in (0, 1)
    )
    return Host(
        f"endpoint_{number}",
        (_management(40 + number), *links),
        tuple(
            route
            for k, link in enumerate(links)
            for route in _routes(link, ("default", "default"), 100 * (k + 1))
        ),
    )


def _router(number: int) -> Host:
    wan = _uplink("wan0", f"192.0.2.{128 + 4 * number}/30", f"2001:db8:2:{number}::/64")
    egress = Interface("egress0", EGRESS, (f"198.51.100.{number}/24", f"2001:db8:100::{number}/64"))
    # Only the way back to the endpoints' uplinks: a router has no default route to leak through.
    back = _routes(wan, ("192.0.2.0/25", "2001:db8:1::/48"), 100)
    return Host(f"router_{number}", (_management(20 + number), wan, egress), back)


def _business() -> Host:
    egress = Interface("eth1", EGRESS, ("198.51.100.10/24", "2001:db8:100::10/64"))
    return Host("business", (_management(50), egress))
