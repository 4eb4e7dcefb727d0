"""What has to outlive a restart, as plain data that JSON can hold.

All times in it are of the wall clock, as the other one begins anew with the process or the host.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nrs.api.messages import MetricsReport
from nrs.balancer.standing import State
from nrs.config.types import Name

VERSION = 1
Moment = Annotated[float, Field(allow_inf_nan=False)]


class SnapshotDamaged(Exception):
    """The data is not a snapshot; the text names the place and what is wrong there."""


class KeptEndpoint(NamedTuple):
    """An endpoint's router, since when (None: not known), the one before, what it can use."""

    router_id: Name
    since: Moment | None
    previous: Name | None
    candidates: list[Name] | None
    asked_at: Moment


class KeptEjection(NamedTuple):
    """See `ejection.Ejection`."""

    number: Annotated[int, Field(ge=1)]
    at: Moment
    until: Moment
    reason: str


class _Section(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class KeptRouter(_Section):
    """A router's last report and what is held against it."""

    report: MetricsReport
    pending_mbps: Moment = 0.0
    warming_since: Moment | None = None
    ejection: KeptEjection | None = None


class Snapshot(_Section):
    """The whole."""

    version: Literal[1]
    routers: list[KeptRouter]
    states: dict[Name, State]
    endpoints: dict[Name, KeptEndpoint]


def parse(data: Any) -> Snapshot:
    """Read what `Balancer.dump` gave. Raises SnapshotDamaged."""
    try:
        return Snapshot.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the snapshot"
        raise SnapshotDamaged(f"{where}: {first['msg']}") from None
