"""The routing server's nftables table, kept as it is wanted.

Running nft takes milliseconds at best: `apply_beside` leaves that to a thread, so that the
packet loop does not wait.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from typing import Any

from nrs.config.types import IPNetwork
from nrs.system import nft_guard, nft_untracked, nftables
from nrs.system.nft_guard import Guard
from nrs.system.nftables import NftablesError, Refused

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """What the table is made of."""

    tunnel_interface: str
    egress_interface: str
    tunnel_ports: tuple[int, ...]
    guard: Guard = field(default_factory=Guard)
    rejecting: bool = False
    unmasqueraded: tuple[IPNetwork, ...] = ()
    """Networks behind endpoints, which are known beyond the egress."""


class Ruleset:
    """`want` says what, `apply` and `apply_beside` see to it, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: Wanted | None = None
        self._applied: Wanted | None = None
        self._commands: list[dict[str, Any]] = []
        """What the table was made of last."""
        self._content: nftables.Content = {}
        """Of it, since then."""
        self._thread: threading.Thread | None = None
        self._error = ""
        self._refusal = ""

    def want(self, wanted: Wanted) -> None:
        """Have the table so from the next application on."""
        self._wanted = wanted

    def apply(self) -> None:
        """Make the table as wanted and wait for it. Raises NftablesError."""
        with self._lock:
            # What is wanted now, not when the call was made: the last to come here is right.
            wanted = self._wanted
            if wanted is not None and wanted != self._applied:
                self._install(wanted)

    def is_in_place(self) -> bool:
        """Whether the table does what it did as it was applied last. Raises NftablesError."""
        with self._lock:
            return self._applied is None or nftables.is_installed(self._commands, self._content)

    def apply_again(self) -> None:
        """Make the table anew, as somebody has changed it. Raises NftablesError."""
        with self._lock:
            if self._wanted is not None:
                self._applied = None
                self._install(self._wanted)

    def _install(self, wanted: Wanted) -> None:
        known, self._applied = self._applied is not None, None
        commands = _commands(wanted)
        try:
            self._make([*commands, *_untracked(wanted)], anew=not known)
        except Refused as error:
            self._make(commands, anew=True)
            if str(error) != self._refusal:
                log.warning("tunnels' own datagrams are in connection tracking: %s", error)
            self._refusal = str(error)
        self._applied = wanted

    def _make(self, commands: list[dict[str, Any]], *, anew: bool) -> None:
        self._content = nftables.install(commands, anew=anew)
        self._commands = commands

    def apply_beside(self) -> None:
        """Make the table as wanted, soon; a failure is logged. Call again to try again."""
        if self._wanted == self._applied or (self._thread and self._thread.is_alive()):
            return
        self._thread = threading.Thread(target=self._apply_or_log, name="nft", daemon=True)
        self._thread.start()

    def _apply_or_log(self) -> None:
        try:
            self.apply()
        except NftablesError as error:
            if str(error) != self._error:
                log.error("%s", error)
            self._error = str(error)
        else:
            self._error = ""

    def remove(self) -> None:
        """Remove the table for good; a failure is logged."""
        with self._lock:
            self._wanted = self._applied = None
            try:
                nftables.remove()
            except NftablesError as error:
                log.warning("%s", error)


def _commands(wanted: Wanted) -> list[dict[str, Any]]:
    interfaces = wanted.tunnel_interface, wanted.egress_interface
    return [
        *nftables.nat_ruleset(
            *interfaces,
            tunnel_ports=wanted.tunnel_ports,
            rejecting=wanted.rejecting,
            unmasqueraded=wanted.unmasqueraded,
        ),
        *nft_guard.ruleset(nftables.TABLE, *interfaces, wanted.guard),
    ]


def _untracked(wanted: Wanted) -> list[dict[str, Any]]:
    return nft_untracked.ruleset(nftables.TABLE, wanted.tunnel_interface, wanted.tunnel_ports)
