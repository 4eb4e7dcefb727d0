"""The tunnel addresses of both families: which is next, as text and by field of a registration."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

from nrs.config.types import IPAddress
from nrs.controller.allocation import Pool
from nrs.controller.config import IpAllocation, Pool4, Pool6
from nrs.controller.errors import PoolExhausted

_FAMILY: dict[str, type[IPv4Address] | type[IPv6Address]] = {
    "tun_ipv4": IPv4Address,
    "tun_ipv6": IPv6Address,
}
FIELDS = tuple(_FAMILY)


def usable(address: IPAddress) -> IPAddress:
    """`address` where a device can have it in the tunnel, or states none. Raises ValueError."""
    if getattr(address, "scope_id", None) is not None:
        raise ValueError(f"{address} has a zone, which a tunnel address cannot have")
    if address.is_unspecified:
        return address
    if address.is_loopback or address.is_multicast or address.is_link_local or address.is_reserved:
        raise ValueError(f"{address} cannot be the address of a device")
    return address


class Addresses:
    """The pools of `bounds`, less what devices hold: pairs of IPv4 and IPv6 address, or None."""

    def __init__(self, bounds: IpAllocation, held: Iterable[tuple[str | None, str | None]]) -> None:
        pairs = list(held)
        taken4 = (int(IPv4Address(four)) for four, _ in pairs if four is not None)
        taken6 = (int(IPv6Address(six)) for _, six in pairs if six is not None)
        self._pools = {
            "tun_ipv4": _pool(bounds.tun_ipv4_pool, taken4),
            "tun_ipv6": _pool(bounds.tun_ipv6_pool, taken6),
        }

    def next_free(self, field: str) -> str:
        """The address to give next; it stays free until it is moved to. Raises PoolExhausted."""
        free = self._pools[field].next_free()
        if free is None:
            raise PoolExhausted(field)
        return str(_FAMILY[field](free))

    def move(self, field: str, old: str | None, new: str | None) -> None:
        """A device that held `old` holds `new` from now on; None is no address."""
        if old is not None:
            self._pools[field].release(int(_FAMILY[field](old)))
        if new is not None:
            self._pools[field].take(int(_FAMILY[field](new)))


def _pool(bounds: Pool4 | Pool6, taken: Iterable[int]) -> Pool:
    base = int(bounds.base)
    return Pool(base + bounds.start, base + bounds.end, taken)
