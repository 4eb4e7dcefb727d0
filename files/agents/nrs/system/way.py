"""What stands in the way of packets that the host is to forward, asked of the kernel and nft."""

from __future__ import annotations

import errno
import ipaddress
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from nrs.config.types import IPAddress
from nrs.system import forwarding, nftables
from nrs.system.nftables import NftablesError

_FAMILY = {4: 2, 6: 10}
_TABLE_MAIN = 254
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_TIMEOUT_S = 5
_DESCRIPTORS = 8
_REFUSED_SOURCE = {errno.EXDEV, errno.EINVAL}
"""What a kernel says where rp_filter refuses a source; since 6.13 the second."""
_LEGACY = (
    ("iptables-legacy", Path("/proc/net/ip_tables_names")),
    ("ip6tables-legacy", Path("/proc/net/ip6_tables_names")),
)


def gateway(interface: str, version: int) -> IPAddress | None:
    """The router that a default route of a family through `interface` leads to, if any.

    Raises OSError, NetlinkError.
    """
    with _kernel() as kernel:
        index = _index(kernel, interface)
        if index is None:
            return None
        for route in kernel.get_default_routes(family=_FAMILY[version], table=_TABLE_MAIN):
            text = route.get_attr("RTA_GATEWAY")
            if text is not None and route.get_attr("RTA_OIF") == index:
                found = ipaddress.ip_address(text)
                if not found.is_link_local:
                    return found
    return None


def leaves_by(destination: IPAddress, source: IPAddress) -> str:
    """The interface by which the host sends from `source`. Raises OSError, NetlinkError."""
    with _kernel() as kernel:
        family = _FAMILY[source.version]
        (route,) = kernel.route("get", dst=str(destination), src=str(source), family=family)
        (link,) = kernel.get_links(route.get_attr("RTA_OIF"))
        return str(link.get_attr("IFLA_IFNAME"))


def obstacles(
    where: tuple[IPAddress | None, IPAddress] | None, tunnel: str, egress: str
) -> list[str]:
    """What keeps packets from `tunnel` from leaving by `egress`, or answers from returning.

    `where`: source and destination of such a packet. Raises OSError, NetlinkError.
    """
    found = []
    with _kernel() as kernel:
        into, out = _index(kernel, tunnel), _index(kernel, egress)
        if into is None or out is None:
            return [f"{tunnel if into is None else egress} is not there"]
        found += [
            f"forwarding is off (sysctl {forwarding.name_of(path)}=1)"
            for path in forwarding.those_off((tunnel, egress))
        ]
        found += _without_route(kernel, out, egress)
        source, destination = where or (None, None)
        if source is not None and destination is not None:
            found += _routed(kernel, source, destination, into, out, egress)
            if source.version == 4:
                found += _returned(kernel, source, destination, out, egress)
    try:
        found += [
            f"chain {chain} drops what its rules do not let pass"
            for chain in nftables.chains_that_drop()
        ]
    except NftablesError as error:
        found.append(str(error))
    return found + _legacy_chains()


@contextmanager
def _kernel() -> Iterator[IPRoute]:
    """Raises OSError; pyroute2 itself leaves half a socket where it runs out of descriptors."""
    with ExitStack() as room:
        for _ in range(_DESCRIPTORS):
            room.enter_context(socket.socket(socket.AF_UNIX))
    with closing(IPRoute()) as kernel:
        yield kernel


def _without_route(kernel: IPRoute, out: int, egress: str) -> list[str]:
    led = [
        route
        for version in (4, 6)
        for route in kernel.get_routes(family=_FAMILY[version], table=_TABLE_MAIN)
        if not str(route.get_attr("RTA_DST")).startswith("fe80:")
    ]
    if not any(_leads(route, out) for route in led):
        return [f"no route leads out of {egress}"]
    defaults = [route for route in led if route["dst_len"] == 0]
    if defaults and not any(_leads(route, out) for route in defaults):
        return [f"no default route leads out of {egress}, but one elsewhere"]
    return []


def _routed(
    kernel: IPRoute, source: IPAddress, destination: IPAddress, into: int, out: int, egress: str
) -> list[str]:
    try:
        (route,) = kernel.route(
            "get", dst=str(destination), src=str(source), iif=into, family=_FAMILY[source.version]
        )
    except NetlinkError as error:
        if error.code in _REFUSED_SOURCE:
            return ["rp_filter refuses what comes out of tunnels"]
        if error.code == errno.ENETUNREACH:
            return [f"there is no route to {destination}"]
        return []  # as it is where forwarding is off
    leaves = route.get_attr("RTA_OIF")
    if leaves in {out, None}:
        return []
    (link,) = kernel.get_links(leaves)
    return [f"packets to {destination} leave by {link.get_attr('IFLA_IFNAME')}, not by {egress}"]


def _returned(
    kernel: IPRoute, source: IPAddress, destination: IPAddress, out: int, egress: str
) -> list[str]:
    """An answer is looked at when conntrack has given it back its address."""
    try:
        kernel.route("get", dst=str(source), src=str(destination), iif=out, family=_FAMILY[4])
    except NetlinkError as error:
        if error.code in _REFUSED_SOURCE:
            return [f"rp_filter of {egress} refuses what {destination} answers"]
    return []


def _legacy_chains() -> list[str]:
    """FORWARD of the iptables that nft does not see."""
    found = []
    for name, tables in _LEGACY:
        program = shutil.which(name, path=_PATH)
        # It would make the tables that it is asked for.
        if program is None or not tables.exists():
            continue
        try:
            said = subprocess.run(
                [program, "-S", "FORWARD"],
                capture_output=True,
                text=True,
                check=False,
                timeout=_TIMEOUT_S,
            ).stdout
        except (OSError, subprocess.TimeoutExpired):
            continue
        if "-P FORWARD DROP" in said:
            found.append(f"chain FORWARD of {name} drops what its rules do not let pass")
    return found


def _leads(route: Any, index: int) -> bool:
    attributes = route.get_attr
    hops = attributes("RTA_MULTIPATH") or []
    return attributes("RTA_OIF") == index or any(hop["oif"] == index for hop in hops)


def _index(kernel: IPRoute, name: str) -> int | None:
    found = kernel.link_lookup(ifname=name)
    return int(found[0]) if found else None
