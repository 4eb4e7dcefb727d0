"""At which addresses the agent asks APIs, and resolvers for their names.

They have to stay outside a tunnel that takes everything. A thread asks for names, as that waits.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from nrs.config.types import IPAddress
from nrs.endpoint.config import NetworkAccessEndpointConfig

log = logging.getLogger(__name__)

_RESOLVERS = Path("/etc/resolv.conf")
_AGAIN_S = 60.0
_FAILED_S = 5.0


@dataclass(frozen=True)
class Services:
    """What is known of them."""

    addresses: Mapping[IPAddress, str] = field(default_factory=dict)
    """What each is the address of, for people."""
    by_name: Mapping[str, tuple[IPAddress, ...]] = field(default_factory=dict)
    """Where a name has led to, ascending; several may be asked for one name."""
    named: Mapping[IPAddress, str] = field(default_factory=dict)
    """Those of `addresses` that names have led to."""


def hosts_of(config: NetworkAccessEndpointConfig) -> dict[str, str]:
    """The hosts in the configuration's URLs, routers given by name, and where each stands."""
    stand = [
        (urlsplit(url).hostname or "", "load_balancer.url") for url in config.load_balancer.url
    ]
    for url in config.network_controller.url or []:
        stand.append((urlsplit(url).hostname or "", "network_controller.url"))
    stand += [(r.host, f"routers: {r.router_id}") for r in config.routers if r.host is not None]
    found: dict[str, list[str]] = {}
    for host, where in stand:
        found.setdefault(host, []).append(where)
    return {host: " and ".join(dict.fromkeys(places)) for host, places in found.items()}


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


def _order(address: IPAddress) -> tuple[int, int]:
    return address.version, int(address)


class ServiceAddresses:
    """Follows the names of one configuration; without names there is nothing to follow."""

    def __init__(self, config: NetworkAccessEndpointConfig, before: Services | None = None) -> None:
        """`before` is what was known of the names of another configuration."""
        hosts = hosts_of(config)
        self._fixed = literal(hosts)
        self._names = {host: where for host, where in hosts.items() if _address(host) is None}
        kept = {} if before is None else before.by_name
        self.known = self._services({n: kept[n] for n in self._names if n in kept})
        """Addresses in URLs, of names where they are known, and of resolvers if there are names."""
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
        by_name = dict(before.by_name)
        while not self._end.is_set():
            failed = False
            for name in self._names:
                try:
                    answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
                except (OSError, UnicodeError):
                    # The companion says so when it cannot ask; what was known before stays.
                    failed = True
                    continue
                found = {_address(str(answer[4][0])) for answer in answers}
                by_name[name] = tuple(sorted(filter(None, found), key=_order))
            known = self._services(by_name)
            if known != before and not self._end.is_set():
                try:
                    changed(known)
                    before = known
                except OSError as error:
                    log.warning("what names lead to is not in force: %s", error)
                    failed = True
            self._end.wait(_FAILED_S if failed else _AGAIN_S)

    def _services(self, by_name: Mapping[str, tuple[IPAddress, ...]]) -> Services:
        named: dict[IPAddress, str] = {}
        for name, addresses in by_name.items():
            named |= dict.fromkeys(addresses, _named(self._names[name]))
        return Services({**self._fixed, **self._resolvers(), **named}, dict(by_name), named)

    def _resolvers(self) -> dict[IPAddress, str]:
        if not self._names:
            return {}
        try:
            return resolvers(_RESOLVERS.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            return {}
