"""The egress interface as its link events describe it. Pure."""

from __future__ import annotations

from enum import Enum

from nrs.system.link_changes import AddressGone, AddressIs, Anew, Event, LinkGone, LinkIs, Told


class Link(Enum):
    """How the egress interface is; the value completes `eth1 ...`."""

    READY = "is ready"
    MISSING = "is not there"
    DOWN = "is down"
    NO_CARRIER = "has no carrier"
    NO_ADDRESS = "has lost its addresses"


class EgressLink:
    """Follows the interface called `name`, also when it is made anew with another index."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._links: dict[int, LinkIs] = {}
        self._addresses: dict[int, set[tuple[bytes, int]]] = {}
        self._told = False
        self._had_address = False
        self.state = Link.READY
        """The last known; READY before anything was told."""

    @property
    def index(self) -> int | None:
        """The interface's index, or None while there is none of that name."""
        return next((i for i, link in self._links.items() if link.name == self._name), None)

    def take(self, event: Event) -> None:
        """Follow one event."""
        match event:
            case LinkIs(index):
                self._links[index] = event
            case LinkGone(index):
                self._links.pop(index, None)
                self._addresses.pop(index, None)
            case AddressIs(index, address, prefix, True):
                self._addresses.setdefault(index, set()).add((address, prefix))
            case AddressIs(index, address, prefix) | AddressGone(index, address, prefix):
                self._addresses.get(index, set()).discard((address, prefix))
            case Anew():
                self._links.clear()
                self._addresses.clear()
                self._told = False
            case Told():
                self._told = True
        # Half of a list says nothing: until it is complete, what was known before holds.
        if self._told:
            self.state = self._state()

    def _state(self) -> Link:
        index = self.index
        if index is None:
            return Link.MISSING
        has_address = bool(self._addresses.get(index))
        self._had_address = self._had_address or has_address
        if not self._links[index].up:
            return Link.DOWN
        if not self._links[index].running:
            return Link.NO_CARRIER
        # An interface that never had one may well do without, masquerading with another's.
        if self._had_address and not has_address:
            return Link.NO_ADDRESS
        return Link.READY
