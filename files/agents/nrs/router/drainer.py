"""Carries a drain out: the commands, the file that keeps it, its deadline and the rules."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from nrs.identity import whole_file
from nrs.router.config import RoutingServerConfig
from nrs.router.drain import Drain, Phase, begun, phase
from nrs.router.ruleset import Ruleset, Wanted
from nrs.system.nftables import NftablesError
from nrs.tunnel.loop import PacketLoop

log = logging.getLogger(__name__)

FILE_NAME = "drain.json"
_LOOP_TIMEOUT_S = 4.0


class Drainer:
    """Calls `changed`, in the packet loop, when a drain begins, ends or gets another deadline, and
    when that is over.
    """

    def __init__(
        self,
        config: RoutingServerConfig,
        loop: PacketLoop,
        ruleset: Ruleset,
        directory: Path | None,
        changed: Callable[[], None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`directory` keeps a drain over a restart. Raises NftablesError."""
        self._config = config
        self._loop = loop
        self._ruleset = ruleset
        self._path = directory / FILE_NAME if directory is not None else None
        self._changed = changed
        self._wall = wall
        self._drain = self._read()
        self._phase = Phase.SERVING
        if self._drain is not None:
            log.warning("this router is being drained: `nrs undrain` ends that")
        self._enter(phase(self._drain, self._wall()))
        ruleset.apply()

    @property
    def phase(self) -> Phase:
        """What the router does for its endpoints."""
        return self._phase

    @property
    def left(self) -> float | None:
        """Seconds until the deadline; None where nothing is being drained."""
        drain = self._drain
        return None if drain is None else drain.left(self._wall())

    def configure(self, config: RoutingServerConfig) -> None:
        """Go by another configuration, or by none of it. Raises NftablesError."""
        before, self._config = self._config, config
        self._want_rules()
        try:
            self._ruleset.apply()
        except NftablesError:
            self._config = before
            self._want_rules()
            raise

    def tend(self) -> None:
        """Look at the deadline; call once a second."""
        present = phase(self._drain, self._wall())
        if present is not self._phase:
            self._enter(present)
            self._changed()
        self._ruleset.apply_beside()

    # -- the commands; they run in the control thread

    def begin(self, within_s: object) -> bool:
        """Drain, as `drain.begun` says; whether that is a change. Raises ValueError."""
        before = self._drain
        wanted = begun(before, within_s, self._wall())
        if wanted != before:
            self._keep(wanted)
        return wanted != before

    def end(self) -> bool:
        """Serve again; whether that is a change. Raises ValueError."""
        before = self._drain
        if before is not None:
            self._keep(None)
        return before is not None

    def _keep(self, drain: Drain | None) -> None:
        """Store it, have the loop go by it, and wait for the rules."""
        try:
            if self._path is not None and drain is not None:
                whole_file.replace(self._path, drain.encode())
            elif self._path is not None:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            raise ValueError(f"cannot be kept in {self._path}: {error.strerror}") from None
        taken: Future[Phase] = Future()
        self._loop.wake(lambda: taken.set_result(self._take(drain)))
        taken.result(_LOOP_TIMEOUT_S)
        try:
            self._ruleset.apply()
        except NftablesError as error:
            raise ValueError(str(error)) from None

    def _take(self, drain: Drain | None) -> Phase:
        """In the packet loop."""
        self._drain = drain
        if drain is None:
            log.info("not being drained any more")
        else:
            log.info("being drained: what is left in %.0f s is reset", drain.left(self._wall()))
        self._enter(phase(drain, self._wall()))
        self._changed()
        return self._phase

    # -- its parts

    def _enter(self, present: Phase) -> None:
        if present is Phase.DRAINED and self._phase is not Phase.DRAINED:
            log.info("the drain's deadline is over: nothing is forwarded any more")
        self._phase = present
        self._want_rules()

    def _want_rules(self) -> None:
        self._ruleset.want(
            Wanted(
                self._config.tunnel.interface_name,
                self._config.server.egress_interface,
                tuple(self._config.server.ports),
                self._config.tunnel.guard,
                rejecting=self._phase is Phase.DRAINED,
                unmasqueraded=tuple(self._config.tunnel.endpoint_prefixes),
            )
        )

    def _read(self) -> Drain | None:
        if self._path is None:
            return None
        try:
            return Drain.decode(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.error("a drain that was under way is forgotten: %s: %s", self._path, error)
            return None
