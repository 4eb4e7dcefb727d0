"""The sockets of an endpoint's tunnels: each from its own address and interface.

They are kept for a later process in systemd's descriptor store.
"""

from __future__ import annotations

import logging

from nrs.config.types import IPAddress
from nrs.endpoint.config import NetworkAccessEndpointConfig, Router
from nrs.system.addresses import Addresses
from nrs.system.descriptor_store import DescriptorStore
from nrs.tunnel.udp_socket import UdpSocket

log = logging.getLogger(__name__)


class Uplink:
    """The socket of one tunnel."""

    def __init__(self, router: Router, port: int, store: DescriptorStore) -> None:
        self.router = router
        self.port = port
        self.socket: UdpSocket | None = None
        self._store = store
        self._name = f"udp.{router.router_id}"
        self._unreachable: str | None = None

    def connect(self, addresses: Addresses, *, settled: bool) -> UdpSocket | None:
        """Open the socket, or another in place of one that leads nowhere; the new one.

        Called now and then: a socket whose address was the kernel's choice is replaced when that
        changes, and, unless its tunnel is `settled`, when its own address is at another
        interface, or at one made anew. The one before stays open: see `replace`.
        """
        local = self.router.bind_address
        device = None
        if local is not None and (self.socket is None or not settled):
            device = addresses.interface_of(local)
        if self.socket is not None and not self.socket.has_moved(device):
            return None
        remote = self.router.address
        try:
            opened = self._open(str(local) if local is not None else _any(remote), device)
        except OSError as error:
            why = f"{error.strerror} (from {local or 'any address'} to {remote})"
            if why != self._unreachable:
                log.warning("tunnel to %s: %s", self.router.router_id, why)
            self._unreachable = why
            return None
        self._unreachable = None
        return opened

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

    def _open(self, local: str, device: str | None) -> UdpSocket:
        peer = (str(self.router.address), self.port)
        inherited = self._store.take(self._name)
        if inherited is not None:
            adopted = UdpSocket.adopt(inherited, local, 0, peer=peer, device=device)
            if adopted is not None:
                return adopted
        opened = UdpSocket(local, 0, peer=peer, device=device)
        self._store.keep(self._name, opened.fd)
        return opened


class Uplinks:
    """Those of all tunnels."""

    def __init__(self, store: DescriptorStore) -> None:
        self.by_router: dict[str, Uplink] = {}
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
        for router_id, router in wanted.items():
            self.by_router.setdefault(router_id, Uplink(router, port, self._store))
        return gone


def _any(remote: IPAddress) -> str:
    return "::" if remote.version == 6 else "0.0.0.0"
