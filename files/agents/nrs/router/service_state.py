"""Whether this router should be used: what it watches, and who is told of a change."""

from __future__ import annotations

from collections.abc import Callable

from nrs.router.announcer import Announcer
from nrs.router.config import RoutingServerConfig
from nrs.router.egress_watch import EgressWatch
from nrs.router.policy import RouterPolicy
from nrs.tunnel.loop import PacketLoop
from nrs.tunnel.wire import RouterFlag


class ServiceState:
    """Brings the state of the egress to the endpoints and, by `hurry`, to the load balancers."""

    def __init__(
        self,
        config: RoutingServerConfig,
        loop: PacketLoop,
        policy: RouterPolicy,
        hurry: Callable[[], None],
    ) -> None:
        """Raises OSError."""
        self._policy = policy
        self._hurry = hurry
        self._announcer = Announcer(loop, policy.engine, policy.table)
        self._egress = EgressWatch(
            loop, config.server.egress_interface, config.egress, self._changed
        )
        policy.flags = self.flags

    @property
    def flags(self) -> RouterFlag:
        """What endpoints are told."""
        return RouterFlag(0) if self._egress.up else RouterFlag.EGRESS_DOWN

    def configure(self, config: RoutingServerConfig) -> None:
        """Go by another configuration. Raises OSError."""
        self._egress.configure(config.server.egress_interface, config.egress)

    def close(self) -> None:
        """Watch and tell nothing any more."""
        self._announcer.close()
        self._egress.close()

    def status(self) -> dict[str, object]:
        """For `nrs status`. Called in another thread."""
        return {**self.metrics(), "egress_reason": self._egress.reason}

    def metrics(self) -> dict[str, object]:
        """What the load balancers are told. Called in another thread."""
        return {"egress_up": self._egress.up, "draining": False}

    def _changed(self) -> None:
        self._policy.flags = self.flags
        self._announcer.announce(self.flags)
        self._hurry()
