"""Follows from the packet loop what the router's host has and reaches without a tunnel."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from contextlib import ExitStack

from nrs.router.claims import Host
from nrs.system.addresses import Addresses
from nrs.system.gateways import Gateways
from nrs.system.link_events import LinkEvents
from nrs.tunnel.loop import PacketLoop


class HostWatch:
    """Calls `changed` when `host` has, but not for what is there at first."""

    def __init__(self, loop: PacketLoop, tun: str, changed: Callable[[Host], None]) -> None:
        """`tun` is the interface whose networks are no others'. Raises OSError."""
        self._loop = loop
        self._tun = tun
        self._changed = changed
        self._addresses = Addresses()
        with ExitStack() as opened:
            self._events = LinkEvents()
            opened.callback(self._events.close)
            self._gateways = Gateways()
            opened.callback(self._gateways.close)
            self._addresses.take(self._events.first())
            self._gateways.first()
            opened.pop_all()
        self.host = self._look()
        loop.add_reader(self._events.fileno(), self._read_events)
        loop.add_reader(self._gateways.fileno(), self._read_gateways)

    def close(self) -> None:
        """Stop watching."""
        for socket in (self._events, self._gateways):
            self._loop.remove_reader(socket.fileno())
            socket.close()

    def _read_events(self) -> None:
        self._addresses.take(self._events.read())
        self._tell()

    def _read_gateways(self) -> None:
        if self._gateways.read():
            self._tell()

    def _tell(self) -> None:
        host = self._look()
        if host != self.host:
            self.host = host
            self._changed(host)

    def _look(self) -> Host:
        found = list(self._addresses.networks())
        others = {(network, name) for name, _, network in found if name != self._tun}
        return Host(
            frozenset(address for _, address, _ in found),
            tuple(sorted(others, key=lambda other: (other[0].version, *other))),
            frozenset(map(ipaddress.ip_address, self._gateways.addresses)),
        )
