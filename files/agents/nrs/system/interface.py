"""Messages of rtnetlink that mend an interface, and of its addresses. Pure."""

from __future__ import annotations

import struct

from nrs.system import netlink

NEW_LINK, DEL_LINK, GET_LINK = 16, 17, 18
NEW_ADDRESS, DEL_ADDRESS, GET_ADDRESS = 20, 21, 22
IFF_UP = 0x1

_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBi")
_U32 = struct.Struct("=I")
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_NODAD = 0x02
_IFLA_AF_SPEC, _IFLA_INET_CONF = 26, 1
_NESTED = 0x8000
IPV4_SETTINGS = {"arp_announce": 18, "arp_ignore": 19}
"""Numbers of settings of an interface, by their names in /proc/sys/net/ipv4/conf (linux/ip.h)."""


def bring_up(index: int) -> bytes:
    """The request to bring an interface up."""
    body = _LINK.pack(netlink.UNSPEC, 0, index, IFF_UP, IFF_UP)
    return netlink.message(NEW_LINK, netlink.REQUEST, 0, body)


def set_ipv4(index: int, setting: str, value: int) -> bytes:
    """The request to change one of IPV4_SETTINGS, which needs no access to /proc/sys."""
    body = netlink.attribute(IPV4_SETTINGS[setting], _U32.pack(value))
    for kind in (_IFLA_INET_CONF, netlink.INET, _IFLA_AF_SPEC):
        body = netlink.attribute(kind | _NESTED, body)
    body = _LINK.pack(netlink.UNSPEC, 0, index, 0, 0) + body
    return netlink.message(NEW_LINK, netlink.REQUEST, 0, body)


def question_links() -> bytes:
    """The body of GET_LINK for all."""
    return _LINK.pack(netlink.UNSPEC, 0, 0, 0, 0)


def add_address(index: int, packed: bytes, bits: int) -> bytes:
    """The request to give an interface an address, usable at once (no duplicate detection)."""
    family = netlink.INET if len(packed) == 4 else netlink.INET6
    body = _ADDRESS.pack(family, bits, 0, 0, index)
    body += netlink.attribute(_IFA_LOCAL, packed) + netlink.attribute(_IFA_ADDRESS, packed)
    if family == netlink.INET6:
        body += netlink.attribute(_IFA_FLAGS, _U32.pack(_NODAD))
    flags = netlink.REQUEST | netlink.CREATE | netlink.EXCLUSIVE
    return netlink.message(NEW_ADDRESS, flags, 0, body)


def question() -> bytes:
    """The body of GET_ADDRESS for all."""
    return _ADDRESS.pack(netlink.UNSPEC, 0, 0, 0, 0)


def address_of(body: bytes) -> tuple[int, bytes, int]:
    """Interface, packed address and bits, as the kernel tells them; empty for none."""
    _, bits, _, _, index = _ADDRESS.unpack_from(body)
    found = netlink.attributes(body, _ADDRESS.size)
    # Of a point-to-point link IFA_ADDRESS is the other end.
    return index, found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS) or b"", bits


def link_of(body: bytes) -> tuple[int, bool]:
    """Interface, and whether it is up; 0 for a message that is not of the link itself."""
    family, _, index, flags, _ = _LINK.unpack_from(body)
    return (0 if family != netlink.UNSPEC else index), bool(flags & IFF_UP)
