"""`network_controller.yaml`."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PrivateAttr, SecretStr, model_validator
from typing_extensions import Self

from nrs.config.secret import decode_psk
from nrs.config.service_api import ServiceApi
from nrs.config.types import Address, Address4, Address6, LogLevel, Port, Section

Index = Annotated[int, Field(strict=True, ge=0, lt=2**64)]
Quarantine = Annotated[float, Field(strict=True, ge=0, le=31_536_000, allow_inf_nan=False)]
_SQLITE_URL = re.compile(r"sqlite:////[^?#]*[^?#/]")


class Controller(Section):
    """Where the API listens."""

    bind_address: Address = ipaddress.IPv6Address("::")
    bind_port: Port = 8090
    log_file: Path | None = None
    log_level: LogLevel = "info"


class Pool4(Section):
    """Addresses `base + start` to `base + end`, both included."""

    base: Address4 = ipaddress.IPv4Address("10.10.100.0")
    start: Index = 1
    end: Index = 254

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end < self.start:
            raise ValueError(f"end {self.end} is less than start {self.start}")
        if int(self.base) + self.end >= 2**32:
            raise ValueError(f"base {self.base} + end {self.end} is past 255.255.255.255")
        return self


class Pool6(Section):
    """Addresses `base + start` to `base + end`, both included."""

    base: Address6 = ipaddress.IPv6Address("fd00:100::")
    start: Index = 1
    end: Index = 65535

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end < self.start:
            raise ValueError(f"end {self.end} is less than start {self.start}")
        if int(self.base) + self.end >= 2**128:
            raise ValueError(f"base {self.base} + end {self.end} is past the last IPv6 address")
        return self


class IpAllocation(Section):
    """The pools that devices without addresses of their own are given from."""

    tun_ipv4_pool: Pool4 = Pool4()
    tun_ipv6_pool: Pool6 = Pool6()
    quarantine: Quarantine = 86400.0
    """For how long nobody is given the addresses of a device that was removed."""


class Security(Section):
    """The key of the deployment's tunnels, checked at start."""

    default_psk: SecretStr | None = None
    _key: bytes | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _resolve(self) -> Self:
        if self.default_psk is not None:
            try:
                self._key = decode_psk(self.default_psk.get_secret_value())
            except ValueError as error:
                raise ValueError(f"default_psk {error}") from None
        return self


class Tunnel(Section):
    """What the controller tells devices about the tunnel."""

    default_port: Port = 51820


def _sqlite_url(value: Any) -> Any:
    if not isinstance(value, str) or not _SQLITE_URL.fullmatch(value):
        raise ValueError("must name a SQLite file: sqlite:////absolute/path")
    return value


class Storage(Section):
    """Where the registry is kept; without `url`, a SQLite file in the state directory."""

    url: Annotated[str, BeforeValidator(_sqlite_url)] | None = None


class NetworkControllerConfig(Section):
    """The whole file."""

    controller: Controller = Controller()
    ip_allocation: IpAllocation = IpAllocation()
    security: Security = Security()
    tunnel: Tunnel = Tunnel()
    storage: Storage = Storage()
    api: ServiceApi = Field(default_factory=ServiceApi)

    @model_validator(mode="after")
    def _bound(self) -> Self:
        self.api.check_bound("controller.bind_address", self.controller.bind_address)
        return self
