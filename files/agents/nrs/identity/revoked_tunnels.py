"""Which tunnels are no longer carried: by device, by generation of its key, by key epoch. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

GENERATIONS = 1 << 16
"""Below this one are all keys of an endpoint."""
EPOCHS = 256
_BEFORE = EPOCHS // 2
"""Of a key epoch so many less one are earlier: numbers that come round (RFC 1982 section 3.2)."""


@dataclass(frozen=True)
class RevokedTunnels:
    """What routers and endpoints refuse."""

    endpoints: Mapping[str, int] = field(default_factory=dict)
    """By id: keys of a generation less than this are refused."""
    routers: frozenset[str] = frozenset()
    epochs_below: int | None = None
    """Keys of the epochs before this one are refused."""
    besides: frozenset[str] = frozenset()
    """Devices that a service refuses by itself, whatever their keys; never signed."""

    def endpoint(self, id: str, generation: int) -> bool:  # noqa: A002 - a field's name
        """Whether an endpoint's key of this generation is revoked."""
        return generation < self.endpoints.get(id, 0) or id in self.besides

    def router(self, id: str) -> bool:  # noqa: A002 - a field's name
        """Whether a router is revoked."""
        return id in self.routers or id in self.besides

    def epoch(self, epoch: int) -> bool:
        """Whether the keys of an epoch are revoked."""
        return self.epochs_below is not None and is_before(epoch, self.epochs_below)

    def with_endpoint(self, id: str, below: int) -> RevokedTunnels:  # noqa: A002 - a field's name
        """With an endpoint's keys of a generation less than `below`, unless they are already."""
        most = max(below, self.endpoints.get(id, 0))
        return replace(self, endpoints={**self.endpoints, id: most})

    def with_router(self, id: str) -> RevokedTunnels:  # noqa: A002 - a field's name
        """With a router."""
        return replace(self, routers=self.routers | {id})

    def with_epochs_below(self, epoch: int) -> RevokedTunnels:
        """With the key epochs before `epoch`, unless they are already."""
        if self.epochs_below is not None and not is_before(self.epochs_below, epoch):
            return self
        return replace(self, epochs_below=epoch)

    def without(self, id: str) -> RevokedTunnels:  # noqa: A002 - a field's name
        """Without what there is of a device."""
        endpoints = {one: below for one, below in self.endpoints.items() if one != id}
        return replace(self, endpoints=endpoints, routers=self.routers - {id})

    def with_besides(self, ids: Iterable[str]) -> RevokedTunnels:
        """With what services refuse by themselves, as well."""
        return replace(self, besides=self.besides | frozenset(ids))

    def claims(self) -> dict[str, Any]:
        """What is signed."""
        return {
            "endpoints_below": dict(self.endpoints),
            "routers": sorted(self.routers),
            "epochs_below": self.epochs_below,
        }


CLAIMS = frozenset(RevokedTunnels().claims())
"""Their names."""


def is_before(epoch: int, other: int) -> bool:
    """Whether a key epoch is an earlier one, modulo 256."""
    return 0 < (other - epoch) % EPOCHS < _BEFORE


def stated(claims: Mapping[str, Any]) -> RevokedTunnels:
    """What `claims` say; nothing where an earlier release has signed them. Raises ValueError."""
    endpoints: Any = claims.get("endpoints_below", {})
    routers: Any = claims.get("routers", [])
    epoch: Any = claims.get("epochs_below")
    if not (
        isinstance(endpoints, dict)
        and all(_is_whole(below, GENERATIONS) for below in endpoints.values())
        and isinstance(routers, list)
        and all(isinstance(router, str) for router in routers)
        and (epoch is None or _is_whole(epoch, EPOCHS - 1))
    ):
        raise ValueError("not tunnels that are revoked")
    return RevokedTunnels(endpoints, frozenset(routers), epoch)


def _is_whole(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
