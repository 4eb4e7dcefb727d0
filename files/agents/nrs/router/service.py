"""Whether this router should be used, and what endpoints are told of that. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from nrs.router.delivery import Echoes
from nrs.router.drain import Phase
from nrs.tunnel.wire import RouterFlag


@dataclass(frozen=True, slots=True)
class Service:
    """What speaks for and against it."""

    egress_up: bool = True
    """Whether packets from tunnels get to the egress and beyond, as far as is known."""
    echoes: Echoes | None = None
    """Those that prove the way on; None where nothing is known but its interface."""
    phase: Phase = Phase.SERVING
    restarting: bool = False

    @property
    def draining(self) -> bool:
        """Whether new flows are better off elsewhere."""
        return self.phase is not Phase.SERVING

    @property
    def flags(self) -> RouterFlag:
        """What endpoints are told, with every HELLO_ACK and PROBE_ACK."""
        flags = RouterFlag(0)
        if not self.egress_up or self.phase is Phase.DRAINED:
            flags |= RouterFlag.EGRESS_DOWN
        if self.draining:
            flags |= RouterFlag.DRAINING
        if self.restarting:
            flags |= RouterFlag.RESTARTING
        return flags
