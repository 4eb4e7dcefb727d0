"""Which interface has an address or network, as link events tell. Pure: asks no kernel."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from nrs.config.types import IPAddress, IPNetwork
from nrs.system.link_changes import AddressGone, AddressIs, Anew, Event, LinkGone, LinkIs, Told

_LOOPBACK = "lo"


class _Held(NamedTuple):
    base: bytes
    """The address that the bits of the network are of."""
    usable: bool


@dataclass
class _Listing:
    names: dict[int, str] = field(default_factory=dict)
    addresses: dict[int, dict[tuple[bytes, int], _Held]] = field(default_factory=dict)
    """Of each interface, by address and bits."""


class Addresses:
    """Follows all interfaces and their addresses; knows of none before they are told."""

    def __init__(self) -> None:
        self._listing, self._complete = _Listing(), _Listing()

    def take(self, events: Iterable[Event]) -> None:
        """Follow events in their order."""
        for event in events:
            self._take(event)

    def _take(self, event: Event) -> None:
        match event:
            case LinkIs(index, name):
                self._listing.names[index] = name
            case LinkGone(index):
                self._listing.names.pop(index, None)
                self._listing.addresses.pop(index, None)
            case AddressIs(index, address, prefix, usable, peer):
                held = self._listing.addresses.setdefault(index, {})
                held[address, prefix] = _Held(peer or address, usable)
            case AddressGone(index, address, prefix):
                self._listing.addresses.get(index, {}).pop((address, prefix), None)
            case Anew():
                self._listing = _Listing()
            case Told():
                # Half of a list says nothing: until here, what was known before holds.
                self._complete = self._listing

    def interface_of(self, address: IPAddress) -> str | None:
        """The name of the interface that has `address`, or None; the loopback is not named.

        Of several it is the one with the lowest index, whether or not it is up; a link-local
        address may say which, as `fe80::1%eth0` or `fe80::1%2`.
        """
        packed, names = address.packed, self._complete.names
        scope = getattr(address, "scope_id", None)
        for index, held in sorted(self._complete.addresses.items()):
            if scope is not None and scope not in {names.get(index), str(index)}:
                continue
            if index in names and any(packed == own for own, _ in held):
                return None if names[index] == _LOOPBACK else names[index]
        return None

    def usable(self, name: str, version: int) -> list[IPAddress]:
        """What an interface may speak to other hosts from, those that came first in front."""
        return [
            address
            for index, held in self._complete.addresses.items()
            if self._complete.names.get(index) == name
            for (packed, _), one in held.items()
            if one.usable and (address := ipaddress.ip_address(packed)).version == version
        ]

    def networks(self) -> Iterator[tuple[str, IPAddress, IPNetwork]]:
        """Each address with its interface, and the network that it is connected to by it."""
        for index, held in sorted(self._complete.addresses.items()):
            if index in self._complete.names:
                for (address, bits), one in held.items():
                    network = ipaddress.ip_network((one.base, bits), strict=False)
                    yield self._complete.names[index], ipaddress.ip_address(address), network
