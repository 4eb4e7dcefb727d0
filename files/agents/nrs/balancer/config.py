"""`load_balancer.yaml`."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator
from typing_extensions import Self

from nrs.api.messages import MaxBandwidth, MaxConnections
from nrs.config.common import Api
from nrs.config.types import Address, Name, Port, Seconds, Section

Weight = Annotated[float, Field(strict=True, ge=0, le=1000, allow_inf_nan=False)]


class Server(Section):
    """Where the API listens."""

    bind_address: Address = ipaddress.IPv6Address("::")
    bind_port: Port = 8080
    log_file: Path | None = None


class Weights(Section):
    """How much each figure counts; normalised to a sum of one."""

    cpu: Weight = 0.30
    memory: Weight = 0.20
    bandwidth: Weight = 0.30
    connections: Weight = 0.20

    @property
    def total(self) -> float:
        """What the weights are divided by."""
        return self.cpu + self.memory + self.bandwidth + self.connections

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.total <= 0:
            raise ValueError("the weights must not all be zero")
        return self


class RouterCapacity(Section):
    """What one router can carry where it does not say so itself; None: as all others."""

    max_bandwidth_mbps: MaxBandwidth | None = None
    max_connections: MaxConnections | None = None


class Algorithm(Section):
    """The score and what keeps decisions from flapping."""

    weights: Weights = Weights()
    max_bandwidth_mbps: MaxBandwidth = 1000.0
    max_connections: MaxConnections = 100
    routers: dict[Name, RouterCapacity] = Field(default_factory=dict)
    anti_flap_threshold: Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)] = (
        0.05
    )
    anti_flap_hold_time: Annotated[
        float, Field(strict=True, ge=0, le=86400, allow_inf_nan=False)
    ] = 30.0
    slow_start_time: Annotated[float, Field(strict=True, ge=0, le=86400, allow_inf_nan=False)] = (
        60.0
    )


class Metrics(Section):
    """How often the routing servers report, as their own files say.

    What reaches the load balancer is written to `record_file`, if one is given.
    """

    report_interval: Seconds = 10.0
    record_file: Path | None = None


class BusinessServer(Section):
    """The server behind the routers, told to endpoints with each decision."""

    ip: Address | None = None


class LoadBalancerConfig(Section):
    """The whole file."""

    server: Server = Server()
    algorithm: Algorithm = Algorithm()
    metrics: Metrics = Metrics()
    business_server: BusinessServer = BusinessServer()
    api: Api = Field(default_factory=Api)
