"""`routing_server.yaml`."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, SecretStr, StrictBool, model_validator
from typing_extensions import Self

from nrs.api.messages import MaxBandwidth, MaxConnections
from nrs.config.api import Api
from nrs.config.common import LoadBalancerAccess, NetworkControllerAccess
from nrs.config.secret import KeyedSection
from nrs.config.tun_addresses import TunAddresses
from nrs.config.types import (
    EPOCHS,
    Address,
    CipherName,
    Epoch,
    Interface,
    IPAddress,
    IPNetwork,
    Label,
    LogLevel,
    Mtu,
    Name,
    Network,
    Port,
    Ports,
    Seconds,
    Section,
    UnderlayAddress,
)
from nrs.system.nft_guard import Guard, Opening
from nrs.tunnel.wire import INNER_MTU

KeyModeName = Literal["shared", "device"]

_ENDPOINTS = ("10.10.0.0/16", "fd00:10::/32", "fd00:100::/32")
"""Where endpoints are by default, as in the examples, beside the TUN device's own networks."""

_KEYS = ("psk", "psk_file", "router_key", "router_key_file")
_PREVIOUS_KEYS = tuple(f"previous_{field}" for field in _KEYS)


class Server(Section):
    """Who this routing server is and where it listens."""

    server_id: Name
    name: Label
    tunnel_id: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)] | Name
    bind_address: UnderlayAddress = ipaddress.IPv6Address("::")
    bind_port: Port = 51820
    bind_ports: Ports | None = None
    internal_ip: Address | None = None
    external_ip: Address | None = None
    egress_interface: Interface
    log_file: Path | None = None
    log_level: LogLevel = "info"

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        if self.bind_ports is not None and "bind_port" in self.model_fields_set:
            raise ValueError(
                f"bind_port {self.bind_port} and bind_ports {self.bind_ports} are both given:"
                " keep one of them"
            )
        return self

    @property
    def ports(self) -> list[int]:
        """All that it listens at."""
        return self.bind_ports or [self.bind_port]


class Service(Section):
    """A port of the router's own host."""

    proto: Literal["tcp", "udp"]
    port: Port


class Tunnel(KeyedSection, TunAddresses):
    """The TUN device, the keys, the networks that endpoints may have, and what they reach.

    Endpoints' device keys are made from the router key, which is this router's own, or from a PSK
    that they may also have themselves. The one before it, of epoch `key_epoch - 1` (modulo 256), is
    accepted too where it is given.
    """

    interface_name: Interface = "tun0"
    mtu: Mtu = INNER_MTU
    endpoint_networks: list[Network] | None = Field(default=None, min_length=1)
    endpoint_prefixes: list[Network] = Field(default_factory=list)
    protected_networks: list[Network] = Field(default_factory=list)
    allow_input: list[Service] = Field(default_factory=list)
    client_to_client: StrictBool = False
    key_epoch: Epoch = 0
    router_key: SecretStr | None = None
    router_key_file: Path | None = None
    previous_psk: SecretStr | None = None
    previous_psk_file: Path | None = None
    previous_router_key: SecretStr | None = None
    previous_router_key_file: Path | None = None
    key_modes: Annotated[list[KeyModeName], Field(min_length=1)] | None = None
    ciphers: list[CipherName] = Field(default=["none"], min_length=1)
    _own_key: bool = PrivateAttr(default=False)
    _previous: bytes | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _resolve(self) -> Self:
        field, self._key = self._one_of(*_KEYS)
        self._own_key = field.startswith("router_key")
        if self._own_key and "shared" in self.modes:
            raise ValueError(f"key_modes: shared needs a PSK in the place of {field}")
        return self

    @model_validator(mode="after")
    def _resolve_previous(self) -> Self:
        if any(getattr(self, field) is not None for field in _PREVIOUS_KEYS):
            field, self._previous = self._one_of(*_PREVIOUS_KEYS)
            if self._previous == self.key:
                now = field.removeprefix("previous_").removesuffix("_file")
                raise ValueError(f"{field} is the same key as {now}: nothing has been changed")
        return self

    @model_validator(mode="after")
    def _tell_apart(self) -> Self:
        for prefix in self.endpoint_prefixes:
            for network in self.claimable:
                if prefix.overlaps(network):
                    raise ValueError(
                        f"endpoint_prefixes: {prefix} overlaps {network}, where endpoints have"
                        " addresses of their own (endpoint_networks)"
                    )
        return self

    @property
    def modes(self) -> list[KeyModeName]:
        """How endpoints may have made their keys of this router's."""
        return self.key_modes or ["device" if self._own_key else "shared"]

    @property
    def on_link(self) -> list[IPNetwork]:
        """The networks of the TUN device."""
        return [address.network for address in self.addresses]

    @property
    def claimable(self) -> list[IPNetwork]:
        """The networks that endpoints may claim addresses of."""
        if self.endpoint_networks is not None:
            return self.endpoint_networks
        return [*map(ipaddress.ip_network, _ENDPOINTS), *self.on_link]

    def protecting(self, address: IPAddress) -> IPNetwork | None:
        """The protected network that keeps what comes out of tunnels from an address, if any."""
        return next((one for one in self.protected_networks if address in one), None)

    @property
    def guard(self) -> Guard:
        """What tunnels lead to beside the egress, and what they never do."""
        openings = (Opening(service.proto, service.port) for service in self.allow_input)
        return Guard(tuple(self.protected_networks), tuple(openings), self.client_to_client)

    @property
    def keys(self) -> dict[int, bytes]:
        """The keys that are accepted, by epoch."""
        keys = {self.key_epoch: self.key}
        if self._previous is not None:
            keys[(self.key_epoch - 1) % EPOCHS] = self._previous
        return keys


class Metrics(Section):
    """How often metrics go to the load balancers, and what this router can bear.

    Without capacities of its own, the load balancers' count.
    """

    report_interval: Seconds = 10.0
    max_bandwidth_mbps: MaxBandwidth | None = None
    max_connections: MaxConnections | None = None


class Egress(Section):
    """How the router finds out that its egress is dead, beside what the interface says.

    Without `check_ip` nothing is asked. Otherwise that address is sent an echo every
    `check_interval` seconds, and the egress is down after `check_misses` intervals in a
    row without an answer. Whether the host lets what comes out of tunnels pass is asked by both
    addresses, one of each family.
    """

    check_ip: Address | None = None
    other_check_ip: Address | None = None
    check_interval: Annotated[float, Field(strict=True, ge=0.05, le=60, allow_inf_nan=False)] = 0.2
    check_misses: Annotated[int, Field(strict=True, ge=1, le=100)] = 3

    @model_validator(mode="after")
    def _one_of_each_family(self) -> Self:
        if self.other_check_ip is not None:
            if self.check_ip is None:
                raise ValueError("other_check_ip: check_ip is not given")
            if self.check_ip.version == self.other_check_ip.version:
                raise ValueError("other_check_ip: it has to be of the other family than check_ip")
        return self

    @property
    def checked(self) -> dict[IPAddress, str]:
        """The addresses that endpoints' packets have to reach, and by which key."""
        addresses = {"check_ip": self.check_ip, "other_check_ip": self.other_check_ip}
        return {one: f"egress.{key}" for key, one in addresses.items() if one is not None}

    def asked(self, version: int) -> IPAddress | None:
        """The address of a family that endpoints' packets have to reach."""
        return next((one for one in self.checked if one.version == version), None)


class RoutingServerConfig(Section):
    """The whole file."""

    server: Server
    tunnel: Tunnel
    load_balancer: LoadBalancerAccess
    metrics: Metrics = Metrics()
    egress: Egress = Egress()
    network_controller: NetworkControllerAccess = NetworkControllerAccess()
    api: Api = Field(default_factory=Api)

    @property
    def services(self) -> dict[IPAddress, str]:
        """Addresses that the router has to reach, those that are no names, and by which key."""
        found = self.egress.checked
        urls = [(url, "load_balancer.url") for url in self.load_balancer.url]
        urls += [(url, "network_controller.url") for url in self.network_controller.url or ()]
        for url, key in urls:
            with suppress(ValueError):
                found[ipaddress.ip_address(urlsplit(url).hostname or "")] = key
        return found

    @model_validator(mode="after")
    def _distinct_interfaces(self) -> Self:
        if self.server.egress_interface == self.tunnel.interface_name:
            raise ValueError("server.egress_interface and tunnel.interface_name are the same")
        return self

    @model_validator(mode="after")
    def _askable(self) -> Self:
        for address, key in self.egress.checked.items():
            network = self.tunnel.protecting(address)
            if network is not None:
                raise ValueError(
                    f"{key} {address} lies in {network} of tunnel.protected_networks,"
                    " so that nothing from tunnels reaches it"
                )
        return self
