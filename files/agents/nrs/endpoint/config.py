"""`network_access_endpoint.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, PrivateAttr, SecretStr, model_validator
from typing_extensions import Self

from nrs.config.api import Api
from nrs.config.common import NetworkControllerAccess, PolledLoadBalancer
from nrs.config.secret import KeyedSection
from nrs.config.tun_addresses import TunAddresses
from nrs.config.types import (
    Address,
    CipherName,
    Epoch,
    HostName,
    Interface,
    IPAddress,
    Label,
    LogLevel,
    Mtu,
    Name,
    Network,
    Port,
    Ports,
    Section,
    UnderlayAddress,
)
from nrs.endpoint import device_keys
from nrs.tunnel.wire import INNER_MTU, MOST_GENERATION, MOST_PREFIXES, in_order

_KEYS = ("psk", "psk_file", "device_key", "device_key_file", "device_keys", "device_keys_file")


class Endpoint(Section):
    """Who this endpoint is."""

    endpoint_id: Name
    name: Label
    log_file: Path | None = None
    log_level: LogLevel = "info"


class Tunnel(KeyedSection, TunAddresses):
    """The TUN device, the key, what goes through the tunnel, and what is behind this endpoint.

    The key is a PSK that all endpoints share, or a device key that was made for this endpoint's
    id, addresses and networks to advertise: one for each router, or one for all routers that
    hold the same PSK.
    """

    interface_name: Interface = "tun0"
    mtu: Mtu = INNER_MTU
    port: Port = 51820
    # A router takes a tunnel for down that has been silent for 30 s.
    keepalive_interval: Annotated[float, Field(strict=True, ge=0.1, le=25, allow_inf_nan=False)] = (
        10.0
    )
    routes: list[Network] = Field(default_factory=list)
    exclude: list[Network] = Field(default_factory=list)
    manage_policy_routing: bool = False
    advertise: Annotated[list[Network], Field(max_length=MOST_PREFIXES)] = Field(
        default_factory=list
    )
    device_key: SecretStr | None = None
    device_key_file: Path | None = None
    device_keys: dict[Name, SecretStr] | None = None
    device_keys_file: Path | None = None
    key_epoch: Epoch = 0
    generation: Annotated[int, Field(strict=True, ge=0, le=MOST_GENERATION)] = 0
    cipher: CipherName = "none"
    _own_key: bool = PrivateAttr(default=False)
    _by_router: dict[str, bytes] | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _resolve(self) -> Self:
        field = self._given(*_KEYS)
        self._own_key = field.startswith("device_key")
        if self.device_keys_file is not None:
            try:
                self._by_router = device_keys.read(self.device_keys_file)
            except ValueError as error:
                raise ValueError(f"{field}: {error}") from None
        elif self.device_keys is not None:
            texts = {router: key.get_secret_value() for router, key in self.device_keys.items()}
            self._by_router = device_keys.decoded(texts, field)
        else:
            _, self._key = self._one_of(field)
        try:
            in_order(self.advertise)
        except ValueError as error:
            raise ValueError(f"advertise: {error}") from None
        return self

    @property
    def has_device_key(self) -> bool:
        """Whether its keys are device keys rather than a PSK."""
        return self._own_key

    def key_for(self, router_id: str) -> bytes | None:
        """The key for sessions with a router; None where there is none."""
        return self.key if self._by_router is None else self._by_router.get(router_id)


class Router(Section):
    """One routing server, by address or by name, and the local address its tunnel leaves from."""

    router_id: Name
    host: HostName | None = None
    internal_ip: UnderlayAddress | None = None
    external_ip: UnderlayAddress | None = None
    bind_address: UnderlayAddress | None = None
    gateway: Address | None = None
    ports: Ports | None = None

    @model_validator(mode="after")
    def _leaves_by(self) -> Self:
        if self.gateway is None:
            return self
        if self.bind_address is None:
            raise ValueError("gateway needs bind_address, which says of which uplink it is")
        if self.gateway.version != self.bind_address.version:
            raise ValueError(
                f"bind_address {self.bind_address} and gateway {self.gateway}"
                " are of different families"
            )
        return self

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if (self.host is None) is (self.address is None):
            raise ValueError("needs external_ip or internal_ip, or else host")
        if self.address is None:
            return self
        if self.bind_address is not None and self.bind_address.version != self.address.version:
            raise ValueError(
                f"bind_address {self.bind_address} and the router's address {self.address}"
                " are of different families"
            )
        scopes = {getattr(a, "scope_id", None) for a in (self.address, self.bind_address)} - {None}
        if len(scopes) > 1:
            raise ValueError(
                f"bind_address {self.bind_address} and the router's address {self.address}"
                " are of different interfaces"
            )
        return self

    @property
    def address(self) -> IPAddress | None:
        """Where the tunnel goes to: the external address, else the internal one; None: a name."""
        return self.external_ip if self.external_ip is not None else self.internal_ip

    @property
    def place(self) -> str:
        """The address or the name, for people."""
        return self.host or str(self.address)


class Push(Section):
    """What the controller may choose: routes inside of networks, and some of `routers`.

    Without `routers` it chooses among all. No route overlaps with `routes_never`.
    """

    routes_within: list[Network] = Field(default_factory=list)
    routes_never: list[Network] = Field(default_factory=list)
    routers: list[Name] | None = None


class NetworkAccessEndpointConfig(Section):
    """The whole file."""

    endpoint: Endpoint
    tunnel: Tunnel
    routers: Annotated[list[Router], Field(min_length=1, max_length=16)]
    load_balancer: PolledLoadBalancer
    network_controller: NetworkControllerAccess = NetworkControllerAccess()
    api: Api = Field(default_factory=Api)
    push: Push = Push()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        families = {address.version for address in self.tunnel.addresses}
        for key in ("routes", "advertise"):
            for network in getattr(self.tunnel, key):
                if network.version not in families:
                    needed = f"tunnel.tun_ipv{network.version}"
                    raise ValueError(f"tunnel.{key}: {network} needs {needed}")
        seen: set[str] = set()
        for router in self.routers:
            if router.router_id in seen:
                raise ValueError(f"routers: router_id {router.router_id!r} is given twice")
            seen.add(router.router_id)
            if self.tunnel.key_for(router.router_id) is None:
                field = "device_keys" if self.tunnel.device_keys else "device_keys_file"
                raise ValueError(f"tunnel: {field} has no key for router {router.router_id}")
        return self
