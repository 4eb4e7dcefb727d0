"""What has to outlive a restart, as plain data that JSON can hold.

All times in it are of the wall clock, as the other one begins anew with the process or the host.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from sys import intern
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nrs.api.messages import MetricsReport
from nrs.balancer.decide.fleet import Fleet
from nrs.balancer.decide.registry import Router
from nrs.balancer.decide.standing import Ejection, State
from nrs.balancer.decide.table import DecisionTable, Entry
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
    """See `standing.Ejection`."""

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


def dump_fleet(fleet: Fleet, ahead: float) -> dict[str, Any]:
    """The routers as data; the wall clock is `ahead` of theirs."""
    routers = []
    for member in fleet.members.values():
        ejection = member.ejection
        routers.append(
            {
                "report": member.router.report.model_dump(mode="json"),
                "pending_mbps": member.pending.mbps,
                "warming_since": _known(member.warming_since + ahead),
                "ejection": ejection
                and (ejection.count, ejection.at + ahead, ejection.until + ahead, ejection.reason),
            }
        )
    states = {router_id: state.value for router_id, state in fleet.states.items()}
    return {"version": VERSION, "routers": routers, "states": states}


def dump_endpoints(
    table: DecisionTable, ids: Iterable[str], ahead: float
) -> dict[str, KeptEndpoint]:
    """These endpoints as data, where they are remembered."""
    found = ((endpoint_id, table.peek(endpoint_id)) for endpoint_id in ids)
    return {
        endpoint_id: KeptEndpoint(
            entry.router_id,
            _known(entry.since + ahead),
            entry.previous,
            None if entry.candidates is None else list(entry.candidates),
            entry.asked_at + ahead,
        )
        for endpoint_id, entry in found
        if entry is not None
    }


def entry(kept: KeptEndpoint, now: float, ahead: float) -> Entry:
    """An endpoint that was kept as it is remembered at `now`."""
    return Entry(
        intern(kept.router_id),
        -math.inf if kept.since is None else min(kept.since - ahead, now),
        None if kept.candidates is None else tuple(map(intern, kept.candidates)),
        min(kept.asked_at - ahead, now),
        previous=kept.previous,
    )


def load(data: Any, fleet: Fleet, table: DecisionTable, now: float, ahead: float) -> None:
    """Fill both with what was dumped. Raises SnapshotDamaged, and then has filled neither."""
    try:
        kept = Snapshot.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the snapshot"
        raise SnapshotDamaged(f"{where}: {first['msg']}") from None
    fleet.restore_states(kept.states)
    for router in kept.routers:
        # It counts as heard of just now: one that is gone is left in three intervals, and nobody
        # is moved for want of reports.
        member = fleet.restore(Router(router.report, now), now)
        member.pending.move(router.pending_mbps, now, gradual=False)
        if router.warming_since is not None:
            member.warming_since = router.warming_since - ahead
        if router.ejection is not None:
            count, at, until, reason = router.ejection
            member.ejection = Ejection(count, at - ahead, until - ahead, reason)
    for endpoint_id, endpoint in sorted(kept.endpoints.items(), key=lambda pair: pair[1].asked_at):
        table.put(endpoint_id, entry(endpoint, now, ahead))


def _known(moment: float) -> float | None:
    return moment if math.isfinite(moment) else None
