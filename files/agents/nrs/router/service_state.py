"""Whether this router should be used: its egress, a drain, and who is told of a change."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from nrs.config import kept
from nrs.router.announcer import Announcer
from nrs.router.config import RoutingServerConfig
from nrs.router.drain import Drain, Phase, begun, phase
from nrs.router.egress_watch import EgressWatch
from nrs.router.policy import RouterPolicy
from nrs.router.ruleset import Ruleset, Wanted
from nrs.system.nftables import NftablesError
from nrs.tunnel.loop import PacketLoop
from nrs.tunnel.wire import RouterFlag

log = logging.getLogger(__name__)

FILE_NAME = "drain.json"
IN_USE_S = 10.0
"""A tunnel counts as in use while packets have passed it this recently."""
_LOOP_TIMEOUT_S = 4.0


class ServiceState:
    """Brings the state to the endpoints, by `hurry` to the load balancers, and into the rules."""

    def __init__(
        self,
        config: RoutingServerConfig,
        loop: PacketLoop,
        policy: RouterPolicy,
        ruleset: Ruleset,
        directory: Path | None,
        hurry: Callable[[], None],
    ) -> None:
        """`directory` keeps a drain over a restart. Raises OSError, NftablesError."""
        self._config = config
        self._loop = loop
        self._policy = policy
        self._ruleset = ruleset
        self._path = directory / FILE_NAME if directory is not None else None
        self._hurry = hurry
        self._announcer = Announcer(loop, policy.engine, policy.table)
        self._drain = self._read()
        self._phase = Phase.SERVING
        self._egress = EgressWatch(
            loop, config.server.egress_interface, config.egress, self._changed
        )
        if self._drain is not None:
            log.warning("this router is being drained: `nrs undrain` ends that")
        self._enter(phase(self._drain, time.time()))
        ruleset.apply()

    @property
    def flags(self) -> RouterFlag:
        """What endpoints are told."""
        return (RouterFlag(0) if self._egress.up else RouterFlag.EGRESS_DOWN) | (
            RouterFlag(0) if self._drain is None else RouterFlag.DRAINING
        )

    def configure(self, config: RoutingServerConfig) -> None:
        """Go by another configuration, or by none of it. Raises OSError, NftablesError."""
        before, self._config = self._config, config
        self._want_rules()
        try:
            self._ruleset.apply()
            self._egress.configure(config.server.egress_interface, config.egress)
        except (OSError, NftablesError):
            self._config = before
            self._want_rules()
            raise

    def tend(self) -> None:
        """Look at the deadline; call once a second."""
        present = phase(self._drain, time.time())
        if present is not self._phase:
            self._enter(present)
        self._ruleset.apply_beside()

    def close(self) -> None:
        """Watch and tell nothing any more."""
        self._announcer.close()
        self._egress.close()

    # -- for the control thread

    def status(self) -> dict[str, Any]:
        """For `nrs status`."""
        drain = self._drain
        told: dict[str, Any] = {**self.metrics(), "egress_reason": self._egress.reason}
        if drain is not None:
            told |= {
                "drain_seconds_left": round(drain.left(time.time())),
                "tunnels_in_use": self._in_use(),
            }
        return told

    def metrics(self) -> dict[str, Any]:
        """What the load balancers are told."""
        return {"egress_up": self._egress.up, "draining": self._drain is not None}

    def drain(self, request: dict[str, Any]) -> dict[str, Any]:
        """The command of `nrs drain`. Raises ValueError."""
        before = self._drain
        wanted = begun(before, request.get("deadline"), time.time())
        if wanted != before:
            self._keep(wanted)
        return {
            "changed": wanted != before,
            "seconds_left": round(wanted.left(time.time())),
            "tunnels_in_use": self._in_use(),
        }

    def undrain(self, _: dict[str, Any]) -> dict[str, Any]:
        """The command of `nrs undrain`. Raises ValueError."""
        before = self._drain
        if before is not None:
            self._keep(None)
        return {"changed": before is not None}

    def _keep(self, drain: Drain | None) -> None:
        """Store it, have the loop go by it, and wait for the rules."""
        try:
            if self._path is not None and drain is not None:
                kept.write(self._path, drain.encode())
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

    def _in_use(self) -> int:
        since = self._loop.clock() - IN_USE_S
        return sum(
            max(device.current.last_data_sent, device.current.last_data_received) > since
            for device in self._policy.table
            if device.current is not None
        )

    # -- in the packet loop

    def _take(self, drain: Drain | None) -> Phase:
        self._drain = drain
        if drain is None:
            log.info("not being drained any more")
        else:
            log.info("being drained: what is left in %.0f s is reset", drain.left(time.time()))
        self._enter(phase(drain, time.time()))
        self._changed()
        return self._phase

    def _enter(self, present: Phase) -> None:
        if present is Phase.DRAINED and self._phase is not Phase.DRAINED:
            log.info("the drain's deadline is over: nothing is forwarded any more")
        self._phase = present
        self._policy.flags = self.flags
        self._want_rules()

    def _want_rules(self) -> None:
        self._ruleset.want(
            Wanted(
                self._config.tunnel.interface_name,
                self._config.server.egress_interface,
                rejecting=self._phase is Phase.DRAINED,
            )
        )

    def _changed(self) -> None:
        self._policy.flags = self.flags
        self._announcer.announce(self.flags)
        self._hurry()

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
