"""Which interface has an address, as link events tell it. Pure: nothing here asks the kernel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from nrs.config.types import IPAddress
from nrs.system.link_event import AddressGone, AddressIs, Anew, Event, LinkGone, LinkIs, Told

_LOOPBACK = "lo"


@dataclass
class _Listing:
    names: dict[int, str] = field(default_factory=dict)
    addresses: dict[int, set[tuple[bytes, int]]] = field(default_factory=dict)


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
            case AddressIs(index, address, prefix):
                self._listing.addresses.setdefault(index, set()).add((address, prefix))
            case AddressGone(index, address, prefix):
                self._listing.addresses.get(index, set()).discard((address, prefix))
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
