"""Interfaces and their addresses over netlink (pyroute2)."""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

_NODAD = 0x02
_IFF_UP = 0x1
Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


@dataclass(frozen=True)
class LinkState:
    """An interface's settings and addresses."""

    up: bool
    mtu: int
    queue: int
    """Packets."""
    addresses: tuple[Interface, ...]


class LinkError(Exception):
    """The kernel refused something; the text says what and why."""


class Links:
    """One netlink socket; use as a context manager or `close` it.

    What asks or changes the kernel raises LinkError.
    """

    def __init__(self) -> None:
        self._route = IPRoute()

    def __enter__(self) -> Links:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._route.close()

    def index(self, name: str) -> int | None:
        """The index of interface `name`, or None."""
        with _refusals(f"look up the interface {name}"):
            found = self._route.link_lookup(ifname=name)
        return int(found[0]) if found else None

    def state(self, name: str) -> LinkState:
        """How the interface is now, to be put back by `restore`."""
        index = self._index(name)
        with _refusals(f"look at {name}"):
            (link,) = self._route.get_links(index)
            found = list(self._route.get_addr(index=index))
        return LinkState(
            up=bool(link["flags"] & _IFF_UP),
            mtu=link.get_attr("IFLA_MTU"),
            queue=link.get_attr("IFLA_TXQLEN"),
            addresses=tuple(
                ipaddress.ip_interface(
                    f"{one.get_attr('IFA_LOCAL') or one.get_attr('IFA_ADDRESS')}/{one['prefixlen']}"
                )
                for one in found
            ),
        )

    def restore(self, name: str, state: LinkState) -> None:
        """Take from the interface what `bring_up` and `add_address` have given it."""
        self.keep_addresses(name, state.addresses)
        index = self._index(name)
        with _refusals(f"leave {name} as it was"):
            self._route.link("set", index=index, mtu=state.mtu, txqlen=state.queue)
            if not state.up:
                self._route.link("set", index=index, state="down")

    def bring_up(
        self, name: str, *, mtu: int, queue: int, gso_bytes: int, gso_segments: int
    ) -> None:
        """Set MTU, packets queued and the size of super-packets, and bring the interface up."""
        index = self._index(name)
        with _refusals(f"bring up {name} with MTU {mtu}"):
            self._route.link("set", index=index, mtu=mtu, txqlen=queue, state="up")
        for attribute, value in (("gso_max_size", gso_bytes), ("gso_max_segs", gso_segments)):
            with _refusals(f"set {attribute} of {name}", errno.EOPNOTSUPP, errno.EINVAL):
                self._route.link("set", index=index, **{attribute: value})

    def add_address(self, name: str, address: Interface) -> None:
        """Give the interface `address`; it is usable at once (no duplicate detection)."""
        index = self._index(name)
        extra = {"IFA_FLAGS": _NODAD} if address.version == 6 else {}
        with _refusals(f"give {name} the address {address}"):
            self._route.addr(
                "replace",
                index=index,
                address=str(address.ip),
                prefixlen=address.network.prefixlen,
                family=_family(address.version),
                **extra,
            )

    def keep_addresses(self, name: str, wanted: Collection[Interface]) -> None:
        """Take away the interface's addresses but those that are wanted, and link-local ones.

        A wanted one goes too where it is a secondary one of an unwanted one: the kernel takes
        these along.
        """
        index = self._index(name)
        with _refusals(f"list the addresses of {name}"):
            messages = list(self._route.get_addr(index=index))
        for message in messages:
            peer = message.get_attr("IFA_ADDRESS")
            own = message.get_attr("IFA_LOCAL") or peer
            address = ipaddress.ip_interface(f"{own}/{message['prefixlen']}")
            if address in wanted or address.ip.is_link_local:
                continue
            # Not available: it has gone with its primary one.
            with _refusals(f"take the address {address} from {name}", errno.EADDRNOTAVAIL):
                self._route.addr(
                    "del",
                    index=index,
                    local=own,
                    address=peer,
                    prefixlen=message["prefixlen"],
                    family=message["family"],
                )

    def _index(self, name: str) -> int:
        index = self.index(name)
        if index is None:
            raise LinkError(f"there is no interface {name}")
        return index


@contextmanager
def _refusals(what: str, *harmless: int) -> Iterator[None]:
    """Tell of a refusal as LinkError, but where its errno is `harmless`."""
    try:
        yield
    except NetlinkError as error:
        if error.code not in harmless:
            raise LinkError(f"cannot {what}: {error.args[-1]}") from None


def _family(version: int) -> int:
    return 2 if version == 4 else 10
