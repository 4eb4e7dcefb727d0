"""Which inner addresses an endpoint may claim at this routing server. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nrs.config.types import IPAddress, IPNetwork, is_within, text_of
from nrs.tunnel.wire import Claim, Objection


@dataclass(frozen=True)
class Host:
    """What the router's host has and reaches without a tunnel."""

    addresses: frozenset[IPAddress] = frozenset()
    """Of all its interfaces."""
    connected: tuple[tuple[IPNetwork, str], ...] = ()
    """Networks, and the interface that each is connected to; without those of the TUN device."""
    gateways: frozenset[IPAddress] = frozenset()


@dataclass(frozen=True)
class Refusal:
    """Why something that is claimed cannot be had."""

    item: int
    """Which of `Claim.networks` that is."""
    objection: Objection
    why: str


@dataclass(frozen=True)
class Rules:
    """What claims are held against."""

    networks: Sequence[IPNetwork]
    """`tunnel.endpoint_networks`: addresses that are claimed have to lie in these."""
    prefixes: Sequence[IPNetwork] = ()
    """`tunnel.endpoint_prefixes`: networks behind endpoints have to lie in these."""
    own: Sequence[IPAddress] = ()
    """Addresses of the router, as configured."""
    on_link: Sequence[IPNetwork] = ()
    """The networks of its TUN device."""
    services: Mapping[IPAddress, str] = field(default_factory=dict)
    """What it has to reach, and by which key of its configuration."""
    host: Host = Host()

    def refusal(self, claim: Claim, outer: IPAddress | None = None) -> Refusal | None:
        """Why a claim that has come from the address `outer` is refused, or None."""
        return self.beyond(claim) or self.conflict(claim, outer)

    def beyond(self, claim: Claim, first: int = 0) -> Refusal | None:
        """What is claimed, from this item on, of what endpoints may not have, if anything."""
        addresses = len(claim.addresses)
        for item, wanted in enumerate(claim.networks[first:], first):
            key, allowed = (
                ("networks", self.networks) if item < addresses else ("prefixes", self.prefixes)
            )
            if not any(is_within(wanted, network) for network in allowed):
                why = f"{text_of(wanted)} is outside of tunnel.endpoint_{key}"
                return Refusal(item, Objection.OUTSIDE, why)
        return None

    def conflict(self, claim: Claim, outer: IPAddress | None = None) -> Refusal | None:
        """Whose the claimed addresses are, if anybody's."""
        for item, wanted in enumerate(claim.networks):
            whose = self._holder(wanted, outer)
            if whose is not None:
                return Refusal(item, Objection.TAKEN, f"{text_of(wanted)} {whose}")
        return None

    def _holder(self, wanted: IPNetwork, outer: IPAddress | None) -> str | None:
        for address, whose in self._taken(outer):
            if address in wanted:
                holds = "is" if wanted.num_addresses == 1 else f"holds {address},"
                return f"{holds} {whose}"
        for network, interface in self.host.connected:
            if wanted.overlaps(network) and not self._nearer(wanted, network):
                lies = "lies in" if is_within(wanted, network) else "holds"
                return f"{lies} {network}, which {interface} is connected to"
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
            is_within(wanted, own) and own.prefixlen > network.prefixlen for own in self.on_link
        )
