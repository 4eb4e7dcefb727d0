"""What the load balancer's API answers, for the OpenAPI document and for whoever reads it."""

from __future__ import annotations

from typing import Any, Literal

from nrs.api import answers
from nrs.api.answers import Answer
from nrs.balancer.decide.algorithm import Algorithm
from nrs.balancer.decide.standing import State, Status


class ReportTaken(Answer):
    """`POST /metrics`."""

    status: Literal["ok"]
    server_id: str
    score: float


class ScoreParts(Answer):
    """The unused share of each resource, 0 to 1; the weighted mean of them is the score."""

    cpu: float
    memory: float
    bandwidth: float
    connections: float


class RankedRouter(Answer):
    """A router that the endpoint could use."""

    router_id: str
    score: float
    effective_score: float
    status: Status
    parts: ScoreParts


class DecisionMade(Answer):
    """`GET /decision/{endpoint_id}`."""

    optimal_router_id: str
    optimal_router_internal_ip: str | None
    optimal_router_external_ip: str | None
    business_server_ip: str | None
    score: float
    timestamp: float
    reason: str
    previous_router_id: str | None
    valid_until: float
    poll_after: float
    poll_at_least: float
    ranking: list[RankedRouter]


class CurrentDecision(Answer):
    """Where an endpoint is at present."""

    endpoint_id: str
    router_id: str
    since: float | None
    asked_at: float


class Decisions(Answer):
    """`GET /decisions`; `next` is the `after` of the next page."""

    timestamp: float
    total: int
    decisions: list[CurrentDecision]
    next: str | None


class PastDecision(Answer):
    """Equal decisions in a row: the first, the last, and how many."""

    first: float
    last: float
    count: int
    router_id: str
    previous_router_id: str | None
    reason: str
    score: float


class Explanation(Answer):
    """`GET /explain/{endpoint_id}`, oldest first."""

    endpoint_id: str
    timestamp: float
    decisions: list[PastDecision]


class AlgorithmInForce(Answer):
    """`GET /algorithm`: what the file says, what was set beside it, and what comes of both."""

    algorithm: Algorithm
    file: Algorithm
    set: dict[str, Any]


class AlgorithmSet(AlgorithmInForce):
    """`PUT /algorithm`."""

    changed: bool


class StateSet(Answer):
    """`PUT /servers/{server_id}/state`."""

    server_id: str
    state: State
    changed: bool
    status: Status | None
    reason: str | None


class Server(Answer):
    """A routing server in `GET /status`."""

    server_id: str
    server_name: str
    status: Status
    state: State
    reason: str | None
    cpu_percent: float
    memory_percent: float
    bandwidth_mbps: float
    active_tunnels: int
    score: float


class StatusAnswer(Answer):
    """`GET /status`."""

    timestamp: float
    total_servers: int
    active_servers: int
    servers: list[Server]
    active_decisions: int
    refused_reports: dict[str, int]


class SharedState(Answer):
    """The store that several load balancers share; `error` says why it is not reached."""

    connected: bool
    error: str | None


class Health(answers.Health):
    """`GET /health`; without `state.url` there is no shared state."""

    total_servers: int
    active_servers: int
    shared_state: SharedState | None
