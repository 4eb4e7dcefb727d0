"""At which addresses the agent asks APIs, and resolvers for their names.

They have to stay outside a tunnel that takes everything. A thread asks for names, as that waits.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from nrs.config.types import IPAddress
from nrs.endpoint.config import NetworkAccessEndpointConfig

_RESOLVERS = Path("/etc/resolv.conf")
_AGAIN_S = 60.0
_FAILED_S = 5.0

Services = Mapping[IPAddress, str]
"""By address, what it is the address of."""


def hosts_of(config: NetworkAccessEndpointConfig) -> dict[str, str]:
    """The hosts in the configuration's URLs, routers given by name, and where each stands."""
    urls = [(url, "load_balancer.url") for url in config.load_balancer.url]
    urls += [(url, "network_controller.url") for url in config.network_controller.url or []]
    named = {r.host: f"routers: {r.router_id}" for r in config.routers if r.host is not None}
    return {**{urlsplit(url).hostname or "": where for url, where in urls}, **named}


def of_router(services: Services, router_id: str) -> list[IPAddress]:
    """Those that the name of a router has led to."""
    text = _named(f"routers: {router_id}")
    return [address for address, what in services.items() if what == text]


def literal(hosts: Mapping[str, str]) -> dict[IPAddress, str]:
    """Those that are addresses and no names."""
    found = {}
    for host, where in hosts.items():
        address = _address(host)
        if address is not None and not address.is_loopback:
            found[address] = _named(where)
    return found


def resolvers(text: str) -> dict[IPAddress, str]:
    """Those that a resolv.conf names (resolv.conf(5)); not those on the host itself."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        address = _address(words[1]) if len(words) > 1 and words[0] == "nameserver" else None
        if address is not None and not address.is_loopback:
            found[address] = f"a resolver in {_RESOLVERS}"
    return found


def _named(where: str) -> str:
    return f"the address of {where}"


def _address(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


class ServiceAddresses:
    """Follows the names of one configuration; without names there is nothing to follow."""

    def __init__(self, config: NetworkAccessEndpointConfig) -> None:
        hosts = hosts_of(config)
        self._fixed = literal(hosts)
        self._names = {host: where for host, where in hosts.items() if _address(host) is None}
        self.known: Services = {**self._fixed, **self._resolvers()}
        """Addresses in URLs and, where there are names to be asked for, of resolvers."""
        self._end = threading.Event()

    def follow(self, changed: Callable[[Services], object]) -> None:
        """Call `changed`, in a thread, with what the names have led to, whenever that changes."""
        if self._names:
            run = partial(self._run, changed)
            threading.Thread(target=run, name="names", daemon=True).start()

    def stop(self) -> None:
        """Follow them no longer; does not wait."""
        self._end.set()

    def _run(self, changed: Callable[[Services], object]) -> None:
        before = self.known
        while not self._end.is_set():
            failed = False
            found = {**self._fixed, **self._resolvers()}
            for name, where in self._names.items():
                try:
                    answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
                except OSError:
                    # The companion says so when it cannot ask; what was known before stays.
                    failed = True
                    mine = _named(where)
                    found |= {address: text for address, text in before.items() if text == mine}
                    continue
                for answer in answers:
                    address = _address(str(answer[4][0]))
                    if address is not None:
                        found[address] = _named(where)
            if found != before and not self._end.is_set():
                before = found
                changed(found)
            self._end.wait(_FAILED_S if failed else _AGAIN_S)

    def _resolvers(self) -> dict[IPAddress, str]:
        if not self._names:
            return {}
        try:
            return resolvers(_RESOLVERS.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            return {}
