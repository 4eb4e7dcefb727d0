"""The addresses behind the names of routers, looked up in threads: the packet loop never waits."""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest

from nrs.config.types import IPAddress

log = logging.getLogger(__name__)

FRESH_S = 60.0
RETRY_S = 5.0
"""After this long a name is looked up again whose router does not answer, or that has failed."""

LookUp = Callable[[str], Sequence[IPAddress]]


def look_up(name: str) -> list[IPAddress]:
    """The addresses of a host, the best first as its own resolver sorts them. Raises OSError."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    return list(dict.fromkeys(ipaddress.ip_address(str(place[0])) for *_, place in found))


def interleaved(addresses: Sequence[IPAddress]) -> list[IPAddress]:
    """The families in turn, beginning with that of the first (RFC 8305 section 4)."""
    first = [a for a in addresses if a.version == addresses[0].version]
    other = [a for a in addresses if a.version != addresses[0].version]
    turns = chain.from_iterable(zip_longest(first, other))
    return [address for address in turns if address is not None]


@dataclass
class _Known:
    addresses: list[IPAddress] = field(default_factory=list)
    asked: float | None = None
    busy: bool = False
    failed: bool = False


class Names:
    """What names stood for when they were last looked up."""

    def __init__(self, answered: Callable[[], object], look_up: LookUp = look_up) -> None:
        """`answered` is called, in a thread, when a name has other addresses than before."""
        self._answered = answered
        self._look_up = look_up
        self._known: dict[str, _Known] = {}

    def addresses(self, name: str, now: float, *, failing: bool) -> list[IPAddress]:
        """As known now, in the order to try them; looks the name up again where it is time.

        `failing`: none of them answers.
        """
        known = self._known.setdefault(name, _Known())
        soon = failing or known.failed
        due = known.asked is None or now - known.asked >= (RETRY_S if soon else FRESH_S)
        if due and not known.busy:
            known.asked, known.busy = now, True
            threading.Thread(
                target=self._ask, args=(name, known), name=f"name {name}", daemon=True
            ).start()
        return known.addresses

    def _ask(self, name: str, known: _Known) -> None:
        try:
            found = interleaved(list(self._look_up(name)))
        except (OSError, UnicodeError) as error:
            if not known.failed:
                kept = ", ".join(map(str, known.addresses))
                log.warning(
                    "cannot look up %s: %s%s", name, error, f"; still {kept}" if kept else ""
                )
            known.failed, known.busy = True, False
            return
        changed = found != known.addresses
        if changed:
            log.info("%s is %s", name, ", ".join(map(str, found)))
        known.addresses, known.failed, known.busy = found, False, False
        if changed:
            self._answered()
