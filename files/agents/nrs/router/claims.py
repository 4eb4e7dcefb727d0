"""Which inner addresses an endpoint may claim at this routing server. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nrs.config.types import IPAddress, IPNetwork
from nrs.tunnel.wire import Claim


@dataclass(frozen=True)
class Host:
    """What the router's host has and reaches without a tunnel."""

    addresses: frozenset[IPAddress] = frozenset()
    """Of all its interfaces."""
    connected: tuple[tuple[IPNetwork, str], ...] = ()
    """Networks, and the interface that each is connected to; without those of the TUN device."""
    gateways: frozenset[IPAddress] = frozenset()


@dataclass(frozen=True)
class Rules:
    """What claims are held against."""

    networks: Sequence[IPNetwork]
    """`tunnel.endpoint_networks`: everything claimed has to lie in these."""
    own: Sequence[IPAddress] = ()
    """Addresses of the router, as configured."""
    on_link: Sequence[IPNetwork] = ()
    """The networks of its TUN device."""
    services: Mapping[IPAddress, str] = field(default_factory=dict)
    """What it has to reach, and by which key of its configuration."""
    host: Host = Host()

    def refusal(self, claim: Claim, outer: IPAddress | None = None) -> str | None:
        """Why a claim that has come from the address `outer` is refused, or None."""
        for wanted in _wanted(claim):
            if not any(_within(wanted, network) for network in self.networks):
                return f"{_text(wanted)} is outside of tunnel.endpoint_networks"
        return self.conflict(claim, outer)

    def conflict(self, claim: Claim, outer: IPAddress | None = None) -> str | None:
        """Whose the claimed addresses are, if anybody's."""
        for wanted in _wanted(claim):
            for address, whose in self._taken(outer):
                if address in wanted:
                    holds = "is" if wanted.num_addresses == 1 else f"holds {address},"
                    return f"{_text(wanted)} {holds} {whose}"
            for network, interface in self.host.connected:
                if wanted.overlaps(network) and not self._nearer(wanted, network):
                    lies = "lies in" if _within(wanted, network) else "holds"
                    return f"{_text(wanted)} {lies} {network}, which {interface} is connected to"
        return None

    def _taken(self, outer: IPAddress | None) -> Iterator[tuple[IPAddress, str]]:
        for address in (*self.own, *self.host.addresses):
            yield address, "an address of this router"
        for address in self.host.gateways:
            yield address, "a gateway of this router"
        for address, key in self.services.items():
            yield address, f"that of {key}"
        if outer is not None:
            yield outer, "where the endpoint itself is"

    def _nearer(self, wanted: IPNetwork, network: IPNetwork) -> bool:
        """Whether the host's own routes lead into the TUN device in any case: longest prefix."""
        return any(
            _within(wanted, own) and own.prefixlen > network.prefixlen for own in self.on_link
        )


def _wanted(claim: Claim) -> Iterator[IPNetwork]:
    for address in claim.addresses:
        yield ipaddress.ip_network(address)
    yield from claim.prefixes


def _within(wanted: IPNetwork, network: IPNetwork) -> bool:
    return wanted.network_address in network and wanted.prefixlen >= network.prefixlen


def _text(wanted: IPNetwork) -> str:
    """An address as such, which a prefix of one address is not distinguished from."""
    return str(wanted.network_address if wanted.num_addresses == 1 else wanted)
