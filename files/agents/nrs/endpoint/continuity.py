"""What of an endpoint outlives its process, beside the sessions: sockets, flows, the choice."""

from __future__ import annotations

from nrs.agent.notes import Notes
from nrs.endpoint.flow_memory import FlowMemory
from nrs.system.descriptor_store import DescriptorStore

_ACTIVE = "active"


class Continuity:
    """By default nothing does."""

    def __init__(
        self,
        store: DescriptorStore | None = None,
        flows: FlowMemory | None = None,
        notes: Notes | None = None,
    ) -> None:
        self.store = store if store is not None else DescriptorStore({})
        self.flows = flows
        self._notes = notes

    @property
    def active(self) -> str | None:
        """The router that traffic was sent to last."""
        active = self._notes.get(_ACTIVE) if self._notes is not None else None
        return active if isinstance(active, str) else None

    @active.setter
    def active(self, router_id: str | None) -> None:
        if self._notes is not None:
            self._notes.put(_ACTIVE, router_id)
