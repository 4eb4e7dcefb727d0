"""`load_balancer.yaml`."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator
from typing_extensions import Self

from nrs.api.messages import MaxBandwidth, MaxConnections
from nrs.config.common import Api
from nrs.config.types import Address, Name, Port, Seconds, Section

Weight = Annotated[float, Field(strict=True, ge=0, le=1000, allow_inf_nan=False)]
_REDIS = re.compile(r"rediss?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?(/\d{1,4})?")


def _redis_url(value: Any) -> Any:
    if not isinstance(value, str) or not _REDIS.fullmatch(value):
        raise ValueError(
            "must be a URL such as redis://192.0.2.10:6379/0; a password goes into password_file"
        )
    return value


RedisUrl = Annotated[str, BeforeValidator(_redis_url)]


def _not_all_zero(schema: dict[str, Any]) -> None:
    zero = {key: {"const": 0} for key in schema["properties"]}
    schema["not"] = {"required": list(zero), "properties": zero}


class Server(Section):
    """Where the API listens."""

    bind_address: Address = ipaddress.IPv6Address("::")
    bind_port: Port = 8080
    log_file: Path | None = None


class Weights(Section):
    """How much each figure counts; normalised to a sum of one."""

    model_config = ConfigDict(json_schema_extra=_not_all_zero)

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
    routers: dict[Name, RouterCapacity] = Field(
        default_factory=dict, json_schema_extra={"additionalProperties": False}
    )
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


class StateKeeping(Section):
    """What several load balancers share, and how often a single one stores what it knows.

    `url` without a password; that is in its own file.
    """

    url: RedisUrl | None = None
    password_file: Path | None = None
    store_interval: Seconds = 5.0
    _password: str | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _read_password(self) -> Self:
        if self.password_file is not None:
            try:
                self._password = self.password_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"cannot read {self.password_file}: {error}") from None
        return self

    @property
    def password(self) -> str | None:
        """What the shared store asks for."""
        return self._password


class BusinessServer(Section):
    """The server behind the routers, told to endpoints with each decision."""

    ip: Address | None = None


class LoadBalancerConfig(Section):
    """The whole file."""

    server: Server = Server()
    algorithm: Algorithm = Algorithm()
    metrics: Metrics = Metrics()
    business_server: BusinessServer = BusinessServer()
    state: StateKeeping = StateKeeping()
    api: Api = Field(default_factory=Api)
