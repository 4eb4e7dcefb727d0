"""Which address the tunnels of an uplink leave from: `bind_address`, or its successor. Pure.

The uplink is the interface that has the address. Where it loses it, and has been given another one
since it had it, as by DHCP or with another IPv6 prefix, its tunnels leave from that, until an
interface has the address again. What was there beside it from the first is no successor: an address
that moves between hosts, as by VRRP, leaves nothing behind.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from nrs.config.types import IPAddress
from nrs.system.addresses import Addresses


@dataclass(frozen=True)
class _Seen:
    interface: str
    beside: frozenset[IPAddress]


class UplinkAddresses:
    """Follows the addresses of one host; `kept` is what a process after this one is given."""

    def __init__(self, kept: object = None) -> None:
        self._seen = dict(_read(kept))
        """Where each address was last, and what else was there when it came."""
        self._there = set(self._seen)
        """Those that an interface has."""
        self.present: Mapping[IPAddress, IPAddress] = {}
        """What to leave from, by the address that the file has."""

    @property
    def kept(self) -> dict[str, dict[str, Any]]:
        """As JSON has it."""
        return {
            str(address): {"interface": seen.interface, "beside": sorted(map(str, seen.beside))}
            for address, seen in self._seen.items()
        }

    def follow(self, wanted: Iterable[IPAddress], host: Addresses) -> list[str]:
        """Have `present` for these, by the host's interfaces; a sentence for each change."""
        before, told = self.present, []
        of_one_host = [
            address
            for address in wanted
            if not (address.is_unspecified or address.is_loopback or address.is_link_local)
        ]
        self.present = {address: self._follow(address, host) for address in of_one_host}
        self._seen = {one: seen for one, seen in self._seen.items() if one in self.present}
        self._there.intersection_update(self.present)
        for address, now in self.present.items():
            if now != before.get(address, address):
                name = self._seen[address].interface
                other = "again" if now == address else f"in place of {address}"
                told.append(f"{name} has {now} {other}: tunnels leave from there")
        return told

    def _follow(self, address: IPAddress, host: Addresses) -> IPAddress:
        name = host.interface_of(address)
        if name is not None:
            if address not in self._there or self._seen[address].interface != name:
                beside = frozenset(host.usable(name, address.version)) - {address}
                self._seen[address] = _Seen(name, beside)
                self._there.add(address)
            return address
        self._there.discard(address)
        present, seen = self.present.get(address, address), self._seen.get(address)
        if seen is None:
            return address
        others = [a for a in host.usable(seen.interface, address.version) if a not in seen.beside]
        return present if present in others or not others else others[0]


def _read(kept: object) -> Iterable[tuple[IPAddress, _Seen]]:
    """What is no such thing is left out: the file of notes may be of another release."""
    for text, seen in kept.items() if isinstance(kept, Mapping) else ():
        with suppress(ValueError, TypeError, KeyError):
            beside = frozenset(map(ipaddress.ip_address, seen["beside"]))
            yield ipaddress.ip_address(text), _Seen(str(seen["interface"]), beside)
