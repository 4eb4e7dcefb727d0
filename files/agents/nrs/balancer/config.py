"""`load_balancer.yaml`."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PrivateAttr, model_validator
from typing_extensions import Self

from nrs.balancer.decide.algorithm import Algorithm
from nrs.config.service_api import ServiceApi
from nrs.config.types import Address, LogLevel, Port, Seconds, Section

_REDIS = re.compile(r"rediss?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?(/\d{1,4})?")


def _redis_url(value: Any) -> Any:
    if not isinstance(value, str) or not _REDIS.fullmatch(value):
        raise ValueError(
            "must be a URL such as redis://192.0.2.10:6379/0; a password goes into password_file"
        )
    return value


RedisUrl = Annotated[str, BeforeValidator(_redis_url)]


class Listener(Section):
    """Where the API listens."""

    bind_address: Address = ipaddress.IPv6Address("::")
    bind_port: Port = 8080
    log_file: Path | None = None
    log_level: LogLevel = "info"


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

    server: Listener = Listener()
    algorithm: Algorithm = Algorithm()
    metrics: Metrics = Metrics()
    business_server: BusinessServer = BusinessServer()
    state: StateKeeping = StateKeeping()
    api: ServiceApi = Field(default_factory=ServiceApi)

    @model_validator(mode="after")
    def _bound(self) -> Self:
        self.api.check_bound("server.bind_address", self.server.bind_address)
        return self
