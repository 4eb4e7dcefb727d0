"""Forwarding between the tunnel and the networks behind an endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from nrs.config.tun_addresses import Families
from nrs.config.types import IPAddress, IPNetwork
from nrs.system.host_keeper import HostKeeper


def families_of(advertised: Iterable[IPNetwork]) -> Families:
    """The IP versions that have to be forwarded."""
    return frozenset(network.version for network in advertised)


def interfaces_of(
    advertised: Sequence[IPNetwork], host: Iterable[tuple[str, IPAddress, IPNetwork]], device: str
) -> tuple[str, ...]:
    """`device` and the interfaces by which `host` is connected to what is advertised.

    `host` has interfaces with their addresses and networks.
    """
    found = {
        name: None for name, _, network in host if any(one.overlaps(network) for one in advertised)
    }
    return (device, *(name for name in found if name != device))


class Lan:
    """Has forwarding kept on for what is advertised."""

    def __init__(
        self,
        advertised: Sequence[IPNetwork],
        device: str,
        host: Callable[[], Iterable[tuple[str, IPAddress, IPNetwork]]],
        ask_root: Callable[[], None],
        turned_on: Callable[[Path], None],
    ) -> None:
        """`host` is asked as in `interfaces_of`; the others are `HostKeeper`'s. Raises OSError."""
        self._advertised = advertised
        self._device = device
        self._host = host
        self.interfaces = interfaces_of(advertised, host(), device)
        families = families_of(advertised)
        self.keeper = HostKeeper(None, self.interfaces, ask_root, turned_on, families)

    def tend(self) -> None:
        """Follow the host's interfaces; call once a second."""
        self.interfaces = interfaces_of(self._advertised, self._host(), self._device)
        self.keeper.configure(self.interfaces)
