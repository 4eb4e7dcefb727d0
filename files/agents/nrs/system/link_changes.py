"""What may happen to interfaces and their addresses. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LinkIs:
    """An interface is as stated; `running`: it has a carrier and passes packets."""

    index: int
    name: str
    up: bool
    running: bool


@dataclass(frozen=True)
class LinkGone:
    """An interface was removed, or moved into another namespace."""

    index: int


@dataclass(frozen=True)
class AddressIs:
    """An interface has an address; `usable`: other hosts may be spoken to from it.

    It may have the same one several times, with prefixes of different lengths, in bits.
    """

    index: int
    address: bytes
    prefix: int
    usable: bool
    peer: bytes = b""
    """The other end of a point-to-point link: the prefix is of that one."""


@dataclass(frozen=True)
class AddressGone:
    """An interface has lost an address with a prefix."""

    index: int
    address: bytes
    prefix: int


@dataclass(frozen=True)
class Anew:
    """Events were lost: everything known before is void, and is told again from here."""


@dataclass(frozen=True)
class Told:
    """All that there is has been told; what follows are changes."""


Event = LinkIs | LinkGone | AddressIs | AddressGone | Anew | Told
