"""The bodies that agents and APIs exchange, each validated as it arrives.

Numbers are refused when they are not finite, out of range or of another type;
times are seconds since the Unix epoch.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator
from typing_extensions import Self

from nrs.config.types import Address, Address4, Address6, Label, Line, Name, Port, Ports

Percent = Annotated[float, Field(strict=True, ge=0, le=100, allow_inf_nan=False)]
Rate = Annotated[float, Field(strict=True, ge=0, le=1e9, allow_inf_nan=False)]
Count = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
Version = Annotated[int, Field(strict=True, ge=0, lt=2**53)]
"""Of a pushed configuration; a whole number in any reader of JSON (RFC 8259 section 6)."""
Timestamp = Annotated[float, Field(strict=True, ge=0, le=4_102_444_800, allow_inf_nan=False)]
Age = Annotated[float, Field(strict=True, ge=0, le=1e11, allow_inf_nan=False)]
Milliseconds = Annotated[float, Field(strict=True, ge=0, le=1e7, allow_inf_nan=False)]
LongMilliseconds = Annotated[float, Field(strict=True, ge=0, le=1e12, allow_inf_nan=False)]
MaxBandwidth = Annotated[float, Field(strict=True, ge=1e-3, le=1e7, allow_inf_nan=False)]
MaxConnections = Annotated[int, Field(strict=True, ge=1, le=10_000_000)]
Share = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
DeviceType = Literal["routing_server", "network_access_endpoint"]


class Message(BaseModel):
    """A request body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MetricsReport(Message):
    """`POST /metrics` of the load balancer, sent by a routing server."""

    server_id: Name
    server_name: Label
    timestamp: Timestamp
    cpu_percent: Percent
    memory_percent: Percent
    bandwidth_mbps: Rate
    active_tunnels: Count
    total_rx_packets: Count
    total_tx_packets: Count
    internal_ip: Address | None = None
    external_ip: Address | None = None
    egress_up: StrictBool = True
    draining: StrictBool = False
    max_bandwidth_mbps: MaxBandwidth | None = None
    max_connections: MaxConnections | None = None
    put_back: Count = 0
    not_kept: Count = 0
    revocations: Count = 0
    """The number of the list of revocations that it goes by."""
    revocations_age_s: Age | None = None
    """For how long nobody has told it that this is the latest."""


class ServerState(Message):
    """`PUT /servers/{server_id}/state` of the load balancer."""

    state: Literal["active", "draining", "disabled"]


class Decision(BaseModel):
    """`GET /decision/{endpoint_id}` of the load balancer, as an endpoint reads it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    optimal_router_id: Name
    optimal_router_internal_ip: Address | None = None
    optimal_router_external_ip: Address | None = None
    business_server_ip: Address | None = None
    score: float
    timestamp: float
    poll_after: Annotated[float, Field(gt=0, le=86400)] | None = None
    poll_at_least: Annotated[float, Field(ge=0, le=86400)] = 0.0


class Registration(Message):
    """`POST /register` of the controller. Repeating it changes nothing.

    A device that states tunnel addresses keeps them; one that states none is
    given the next free ones of the pools. The unspecified address states that
    the device is to have none of that family.
    """

    device_id: Name
    device_type: DeviceType
    name: Label
    tun_ipv4: Address4 | None = None
    tun_ipv6: Address6 | None = None
    internal_ip: Address | None = None
    external_ip: Address | None = None
    port: Port | None = None
    ports: Ports | None = None
    """All that a routing server listens at, where it is several; `port` is the first."""
    version: Annotated[str, Field(max_length=64)] | None = None

    @model_validator(mode="after")
    def _first_port(self) -> Self:
        if self.ports is not None and self.ports[0] != self.port:
            raise ValueError(f"port is {self.port} and the first of ports is {self.ports[0]}")
        return self


class TunnelStatus(Message):
    """One tunnel as its device sees it; `peer_id` is the device at the other end."""

    peer_id: Name
    up: StrictBool
    active: StrictBool
    rtt_ms: Milliseconds | None = None
    since: Timestamp | None = None


class DeviceStatus(Message):
    """`POST /status` of the controller."""

    device_id: Name
    timestamp: Timestamp
    tunnels: Annotated[list[TunnelStatus], Field(max_length=4096)] = Field(default_factory=list)
    config_version: Version = 0
    config_error: Annotated[str, Field(max_length=2048)] | None = None
    put_back: Count = 0
    """What somebody else took of the host's settings and the device has put back."""
    not_kept: Count = 0
    revocations: Count = 0
    """The number of the list of revocations that it goes by."""
    revocations_age_s: Age | None = None
    """For how long nobody has told it that this is the latest."""


class TunnelEvidence(Message):
    """What an endpoint knew of one of its tunnels when it moved its traffic."""

    router_id: Name
    state: Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")]
    rtt_ms: Milliseconds | None
    loss: Share | None
    unanswered: Count
    silent_ms: LongMilliseconds | None
    draining: StrictBool
    egress_up: StrictBool
    held_down: StrictBool


class SwitchEvent(Message):
    """An endpoint has moved its traffic to another router."""

    number: Annotated[Count, Field(ge=1)]
    when: Timestamp
    before: Name | None
    after: Name
    cause: Line
    evidence: Annotated[list[TunnelEvidence], Field(max_length=64)]
    rejected: Annotated[dict[Name, Line], Field(max_length=64)]
    resent: Count
    flows_moved: Count
    gap_ms: LongMilliseconds | None = None


class EventReport(Message):
    """`POST /events` of the controller, sent by an endpoint. Repeating it changes nothing."""

    device_id: Name
    events: list[SwitchEvent]


class ConfigRequest(Message):
    """`POST /config` of the controller: the device asks for what it should run."""

    device_id: Name


class Configuration(BaseModel):
    """What the controller answers to that, as a device reads it. Version 0: nothing was pushed."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: Version
    config: dict[str, Any]


class ConfigPush(Message):
    """`POST /push_config/{device_id}`: keys of the device's own file, merged over it."""

    config: dict[str, Any]
