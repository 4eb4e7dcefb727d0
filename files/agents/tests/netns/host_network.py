"""What a host's network is, to be compared; and routers behind gateways."""

from __future__ import annotations

import re
from pathlib import Path

from tests.netns.world import World

FAR = {"router_a": ("203.0.113.1", "2001:db8:f::1"), "router_b": ("203.0.113.5", "2001:db8:f::5")}
"""Addresses of the routers that are on no link of the endpoint's."""
GATEWAY = {"router_a": ("192.0.2.2", "2001:db8:a::2"), "router_b": ("192.0.2.6", "2001:db8:b::2")}
_SETTINGS = "net.ipv4.conf net.ipv6.conf net.ipv4.ip_forward net.ipv6.conf.all.forwarding"


def dump(world: World, host: str = "endpoint") -> list[str]:
    """All routes, rules, addresses and settings of interfaces, as the kernel lists them."""
    commands = (
        "ip -4 route show table all; ip -6 route show table all; ip -4 rule; ip -6 rule;"
        f" ip addr; sysctl {_SETTINGS} 2>&1"
    )
    text = world.exec(host, "sh", "-c", commands)
    text = re.sub(r"(valid_lft|preferred_lft|expires) \S+", "", text)
    # Addresses of the kernel's own come when it finds the time, and secrets when they do.
    return [line for line in text.splitlines() if "fe80:" not in line and "secret" not in line]


def ours(world: World, host: str = "endpoint") -> str:
    """Routes and rules of the access endpoint."""
    commands = "for f in -4 -6; do ip $f route show table all; ip $f rule; done"
    lines = world.exec(host, "sh", "-c", commands).splitlines()
    return "\n".join(line for line in lines if "proto 82" in line)


def routers_behind_gateways(world: World, *names: str) -> None:
    """The routers have FAR; the endpoint a default route to the first, host routes to others."""
    for number, name in enumerate(names):
        for family, address, gateway in zip(("-4", "-6"), FAR[name], GATEWAY[name], strict=True):
            bits = 32 if family == "-4" else 128
            world.address(name, "lo", f"{address}/{bits}")
            to = "default" if number == 0 else address
            world.ip("endpoint", family, "route", "add", to, "via", gateway)


def set_rp_filter(world: World, value: int, host: str = "endpoint") -> None:
    """Of all interfaces that are there and will be."""
    with world.inside(host):
        names = [name.name for name in Path("/proc/sys/net/ipv4/conf").iterdir()]
    for name in names:
        world.exec(host, "sysctl", "-qw", f"net/ipv4/conf/{name}/rp_filter={value}")
