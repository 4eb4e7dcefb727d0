"""The sockets of an endpoint's tunnels: each from its own address and interface.

They are kept for a later process in systemd's descriptor store.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Sequence

from nrs.config.types import IPAddress, IPNetwork
from nrs.endpoint.config import NetworkAccessEndpointConfig, Router
from nrs.endpoint.names import Names
from nrs.endpoint.route_plan import EVERYTHING_BITS
from nrs.system.addresses import Addresses
from nrs.system.descriptor_store import DescriptorStore
from nrs.tunnel.udp_socket import UdpSocket, peer_of

TRY_S = 2.5
"""For one of a name's addresses to answer: longer than the longest pause between HELLOs."""

log = logging.getLogger(__name__)


class Uplink:
    """The socket of one tunnel."""

    def __init__(
        self,
        router: Router,
        port: int,
        store: DescriptorStore,
        names: Names | None = None,
    ) -> None:
        """`names` looks the router up where it is a name."""
        self.router = router
        self._names = names
        self._avoided: Sequence[IPNetwork] = ()
        self._remote: IPAddress | None = None
        """Where the socket leads to, and since when."""
        self._since = 0.0
        self._inherited: int | None = None
        """The descriptor of an earlier process's socket, until it is used."""
        self.port = port
        self.socket: UdpSocket | None = None
        self._store = store
        self._name = f"udp.{router.router_id}"
        self._unreachable: str | None = None

    def connect(
        self, addresses: Addresses, *, settled: bool, failing: bool = False, now: float = 0.0
    ) -> UdpSocket | None:
        """Open the socket, or another in place of one that leads nowhere; the new one.

        Called now and then: a socket whose address was the kernel's choice is replaced when that
        changes, and, unless its tunnel is `settled`, when its own address is at another
        interface, or at one made anew. The one before stays open: see `replace`.

        Of a name's addresses the next one is tried while the tunnel is `failing`, and only then.
        """
        remote = self._choose(now, failing=failing)
        if remote is None:
            return None
        local = self.router.bind_address
        device = None
        if local is not None and (self.socket is None or not settled):
            device = addresses.interface_of(local)
        same = remote == self._remote
        if same and self.socket is not None and not self.socket.has_moved(device):
            return None
        self._remote = remote
        if not same:
            self._since = now
        try:
            opened = self._open(str(local) if local is not None else _any(remote), remote, device)
        except OSError as error:
            why = f"{error.strerror} (from {local or 'any address'} to {remote})"
            if why != self._unreachable:
                log.warning("tunnel to %s: %s", self.router.router_id, why)
            self._unreachable = why
            return None
        self._unreachable = None
        return opened

    def avoid(self, networks: Sequence[IPNetwork]) -> None:
        """Of a name's addresses use none in `networks`: they lead into the tunnel itself."""
        self._avoided = networks

    def replace(self, opened: UdpSocket) -> None:
        """Use `opened` from now on; nobody may use the one before any more."""
        before, self.socket = self.socket, opened
        if before is not None:
            before.close()
            where = opened.local_address[0]
            log.info("tunnel to %s leaves from %s now", self.router.router_id, where)

    def close(self) -> None:
        """Close the socket for good."""
        if self.socket is not None:
            self.socket.close()
            self._store.drop(self._name)
            self.socket = None

    def _choose(self, now: float, *, failing: bool) -> IPAddress | None:
        """Where the socket is to lead to; None where that is not known, or not yet."""
        name = self.router.host
        if name is None or self._names is None:
            return self.router.address
        found = self._names.addresses(name, now, failing=failing)
        possible = [address for address in found if self._is_possible(address)]
        present = self._remote = self._remote or self._inherited_remote()
        if not possible or (present is not None and not failing):
            return present
        if present not in possible:
            return possible[0]
        if now - self._since < TRY_S:
            return present
        self._since = now
        return possible[(possible.index(present) + 1) % len(possible)]

    def _inherited_remote(self) -> IPAddress | None:
        """Where the socket of an earlier process leads to: its session goes on there."""
        self._inherited = self._inherited or self._store.take(self._name)
        peer = None if self._inherited is None else peer_of(self._inherited)
        return None if peer is None else ipaddress.ip_address(peer)

    def _is_possible(self, address: IPAddress) -> bool:
        local = self.router.bind_address
        if local is not None and local.version != address.version:
            return False
        return not any(address in network for network in self._avoided)

    def _open(self, local: str, remote: IPAddress, device: str | None) -> UdpSocket:
        peer = (str(remote), self.port)
        inherited, self._inherited = self._inherited or self._store.take(self._name), None
        if inherited is not None:
            adopted = UdpSocket.adopt(inherited, local, 0, peer=peer, device=device)
            if adopted is not None:
                return adopted
        opened = UdpSocket(local, 0, peer=peer, device=device)
        self._store.keep(self._name, opened.fd)
        return opened


class Uplinks:
    """Those of all tunnels."""

    def __init__(self, store: DescriptorStore, names: Names | None = None) -> None:
        self.by_router: dict[str, Uplink] = {}
        self._names = names
        self._store = store

    def owner(self, socket: UdpSocket) -> str | None:
        """The router that a socket leads to."""
        return next((r for r, uplink in self.by_router.items() if uplink.socket is socket), None)

    def configure(self, config: NetworkAccessEndpointConfig) -> list[Uplink]:
        """Have one for each router of the configuration; those that are of no use any more."""
        wanted = {router.router_id: router for router in config.routers}
        port = config.tunnel.port
        gone = [
            uplink
            for router_id, uplink in self.by_router.items()
            if (wanted.get(router_id), port) != (uplink.router, uplink.port)
        ]
        for uplink in gone:
            del self.by_router[uplink.router.router_id]
        # What leads everywhere leaves routers outside.
        inside = [
            network for network in config.tunnel.routes if network.prefixlen > EVERYTHING_BITS
        ]
        for router_id, router in wanted.items():
            uplink = Uplink(router, port, self._store, self._names)
            self.by_router.setdefault(router_id, uplink).avoid(inside)
        return gone


def _any(remote: IPAddress) -> str:
    return "::" if remote.version == 6 else "0.0.0.0"
