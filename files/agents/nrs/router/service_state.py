"""Whether this router should be used: its egress and a drain, and who is told of a change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nrs.router.announcer import BUSY_S, Announcer
from nrs.router.config import RoutingServerConfig
from nrs.router.drainer import Drainer
from nrs.router.egress_watch import EgressWatch
from nrs.router.policy import RouterPolicy
from nrs.router.ruleset import Ruleset
from nrs.tunnel.loop import PacketLoop
from nrs.tunnel.wire import RouterFlag

IN_USE_S = 10.0
"""A tunnel counts as in use while packets have passed it this recently."""


class ServiceState:
    """Brings the state to the endpoints, and by `hurry` to the load balancers."""

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
        self._hurry = hurry
        self._restarting = False
        self._announcer = Announcer(loop, policy.engine, policy.table)
        self._drainer = Drainer(config, loop, ruleset, directory, self._changed)
        self._egress = EgressWatch(
            loop, config.server.egress_interface, config.egress, self._changed, self._busy
        )
        policy.flags = self.flags
        policy.echoes = self._egress.echoes

    @property
    def flags(self) -> RouterFlag:
        """What endpoints are told."""
        flags = RouterFlag(0)
        if not self._egress.up or self._drainer.drained:
            flags |= RouterFlag.EGRESS_DOWN
        if self._drainer.draining:
            flags |= RouterFlag.DRAINING
        if self._restarting:
            flags |= RouterFlag.RESTARTING
        return flags

    def announce_restart(self) -> None:
        """Tell the endpoints that this router is silent for a moment and comes back."""
        self._restarting = True
        self._policy.flags = self.flags
        self._announcer.announce(self.flags)

    def configure(self, config: RoutingServerConfig) -> None:
        """Go by another configuration, or by none of it. Raises OSError, NftablesError."""
        self._drainer.configure(config)
        try:
            self._egress.configure(config.server.egress_interface, config.egress)
        except OSError:
            self._drainer.configure(self._config)
            raise
        self._policy.echoes = self._egress.echoes
        self._config = config

    def tend(self) -> None:
        """Call once a second."""
        self._drainer.tend()

    def close(self) -> None:
        """Watch and tell nothing any more."""
        self._announcer.close()
        self._egress.close()

    def _busy(self) -> bool:
        return self._loop.clock() - self._policy.engine.last_delivered < BUSY_S

    def _changed(self) -> None:
        self._policy.flags = self.flags
        self._announcer.announce(self.flags)
        self._hurry()

    # -- for the control thread

    def status(self) -> dict[str, Any]:
        """For `nrs status`."""
        told = {**self.metrics(), "egress_reason": self._egress.reason}
        left = self._drainer.left
        if left is not None:
            told |= {"drain_seconds_left": round(left), "tunnels_in_use": self._in_use()}
        return told

    def metrics(self) -> dict[str, Any]:
        """What the load balancers are told."""
        return {"egress_up": self._egress.up, "draining": self._drainer.draining}

    def drain(self, request: dict[str, Any]) -> dict[str, Any]:
        """The command of `nrs drain`. Raises ValueError."""
        changed = self._drainer.begin(request.get("deadline"))
        return {
            "changed": changed,
            "seconds_left": round(self._drainer.left or 0.0),
            "tunnels_in_use": self._in_use(),
        }

    def undrain(self, _: dict[str, Any]) -> dict[str, Any]:
        """The command of `nrs undrain`. Raises ValueError."""
        return {"changed": self._drainer.end()}

    def _in_use(self) -> int:
        since = self._loop.clock() - IN_USE_S
        return sum(
            max(device.current.last_data_sent, device.current.last_data_received) > since
            for device in self._policy.table
            if device.current is not None
        )
