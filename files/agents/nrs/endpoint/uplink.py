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
from nrs.tunnel.address_text import describe
from nrs.tunnel.udp_socket import UdpSocket, peer_of

TRY_S = 2.5
"""For an address and port to answer: longer than the longest pause between HELLOs."""

Place = tuple[IPAddress, int]
"""Address and port of a router."""

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
        """`port` is for a router without `ports`; `names` looks it up where it is a name."""
        self.router = router
        self._names = names
        self._avoided: Sequence[IPNetwork] = ()
        self._local = router.bind_address
        """What it is to leave from, and what its socket was made to."""
        self._bound = self._local
        self._remote: Place | None = None
        """Where the socket leads to, and since when."""
        self._since = 0.0
        self._told: Place | None = None
        """Where it was last said to lead to."""
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

        Called now and then: a socket is replaced when it is to leave from another address, given
        or of the kernel's choice, and, unless its tunnel is `settled`, when its own address is at
        another interface, or at one made anew. The one before stays open: see `replace`.

        Of its ports and a name's addresses the next are tried while the tunnel is `failing`, and
        only then.
        """
        remote = self._choose(now, failing=failing)
        if remote is None:
            return None
        if settled and remote == self._remote:
            self._tell(remote)
        local, device = self._local, None
        moved = local != self._bound
        if local is not None and (self.socket is None or moved or not settled):
            device = addresses.interface_of(local)
        same = remote == self._remote
        if same and not moved and self.socket is not None and not self.socket.has_moved(device):
            return None
        self._remote = remote
        if not same:
            self._since = now
        try:
            opened = self._open(
                str(local) if local is not None else _any(remote[0]), remote, device
            )
        except OSError as error:
            why = f"{error.strerror} (from {local or 'any address'} to {remote[0]})"
            if why != self._unreachable:
                log.warning("tunnel to %s: %s", self.router.router_id, why)
            self._unreachable = why
            return None
        self._unreachable = None
        self._bound = local
        return opened

    def leave_from(self, local: IPAddress | None) -> None:
        """Use this address of the host's, of the family of `bind_address`, from `connect` on."""
        self._local = local

    def avoid(self, networks: Sequence[IPNetwork]) -> None:
        """Of a name's addresses use none in `networks`: they lead into the tunnel itself."""
        self._avoided = networks

    def replace(self, opened: UdpSocket) -> None:
        """Use `opened` from now on; nobody may use the one before any more."""
        before, self.socket = self.socket, opened
        if before is not None:
            left, where = before.local_address[0], opened.local_address[0]
            before.close()
            if where != left:
                log.info("tunnel to %s leaves from %s now", self.router.router_id, where)

    def close(self) -> None:
        """Close the socket for good."""
        if self.socket is not None:
            self.socket.close()
            self._store.drop(self._name)
            self.socket = None

    @property
    def address(self) -> IPAddress | None:
        """The router's, as the socket has it."""
        return None if self._remote is None else self._remote[0]

    @property
    def remote(self) -> str | None:
        """Address and port that it leads to, for people."""
        return None if self._remote is None else describe((str(self._remote[0]), self._remote[1]))

    @property
    def _ports(self) -> list[int]:
        return self.router.ports or [self.port]

    def _tell(self, remote: Place) -> None:
        """Say which of several places it is that answers."""
        chosen = self.router.ports is not None or self.router.host is not None
        if chosen and remote != self._told:
            log.info("tunnel to %s goes to %s", self.router.router_id, self.remote)
        self._told = remote

    def _choose(self, now: float, *, failing: bool) -> Place | None:
        """Where the socket is to lead to; None where that is not known, or not yet."""
        possible = self._possible(now, failing=failing)
        present = self._remote = self._remote or self._inherited_remote()
        if not possible or (present is not None and not failing):
            return present
        if present not in possible:
            return possible[0]
        if now - self._since < TRY_S:
            return present
        self._since = now
        return possible[(possible.index(present) + 1) % len(possible)]

    def _possible(self, now: float, *, failing: bool) -> list[Place]:
        """In the order to try them: every address (RFC 8305 section 4) at the port preferred."""
        if self.router.address is not None:
            addresses = [self.router.address]
        elif self.router.host is not None and self._names is not None:
            found = self._names.addresses(self.router.host, now, failing=failing)
            addresses = [address for address in found if self._is_possible(address)]
        else:
            addresses = []
        return [(address, port) for port in self._ports for address in addresses]

    def _inherited_remote(self) -> Place | None:
        """Where the socket of an earlier process leads to: its session goes on there."""
        self._inherited = self._inherited or self._store.take(self._name)
        peer = None if self._inherited is None else peer_of(self._inherited)
        if peer is None or peer[1] not in self._ports:
            return None
        address, port = ipaddress.ip_address(peer[0]), peer[1]
        own = self.router.address
        if own is None:
            return address, port
        return (own, port) if own.packed == address.packed else None

    def _is_possible(self, address: IPAddress) -> bool:
        local = self.router.bind_address
        if local is not None and local.version != address.version:
            return False
        return not any(address in network for network in self._avoided)

    def _open(self, local: str, remote: Place, device: str | None) -> UdpSocket:
        peer = (str(remote[0]), remote[1])
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

    def remote(self, router_id: str) -> str | None:
        """Where the tunnel to a router leads to, for people."""
        uplink = self.by_router.get(router_id)
        return None if uplink is None else uplink.remote

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
