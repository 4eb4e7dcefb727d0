"""What decides, as an operator writes it: the section `algorithm` of `load_balancer.yaml`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_validator
from typing_extensions import Self

from nrs.api.messages import MaxBandwidth, MaxConnections
from nrs.config.types import Name, Section

Weight = Annotated[float, Field(strict=True, ge=0, le=1000, allow_inf_nan=False)]
ScoreDifference = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
AtMostADay = Annotated[float, Field(strict=True, ge=0, le=86400, allow_inf_nan=False)]


def _not_all_zero(schema: dict[str, Any]) -> None:
    zero = {key: {"const": 0} for key in schema["properties"]}
    schema["not"] = {"required": list(zero), "properties": zero}


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
    anti_flap_threshold: ScoreDifference = 0.05
    anti_flap_hold_time: AtMostADay = 30.0
    slow_start_time: AtMostADay = 60.0
