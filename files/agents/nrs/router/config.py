"""`routing_server.yaml`."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator
from typing_extensions import Self

from nrs.config.common import Api, LoadBalancerAccess, NetworkControllerAccess
from nrs.config.secret import KeyedSection
from nrs.config.types import (
    Address,
    Interface,
    Interface4,
    Interface6,
    IPNetwork,
    Label,
    Name,
    Network,
    Port,
    Seconds,
    Section,
)

_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")


def _private() -> list[IPNetwork]:
    return [ipaddress.ip_network(text) for text in _PRIVATE]


class Server(Section):
    """Who this routing server is and where it listens."""

    server_id: Name
    name: Label
    tunnel_id: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)] | Name
    bind_address: Address = ipaddress.IPv6Address("::")
    bind_port: Port = 51820
    internal_ip: Address | None = None
    external_ip: Address | None = None
    egress_interface: Interface
    log_file: Path | None = None


class Tunnel(KeyedSection):
    """The TUN device, the key, and the inner networks that endpoints may claim."""

    interface_name: Interface = "tun0"
    tun_ipv4: Interface4
    tun_ipv6: Interface6
    endpoint_networks: list[Network] = Field(default_factory=_private, min_length=1)


class Metrics(Section):
    """How often metrics go to the load balancers."""

    report_interval: Seconds = 10.0


class RoutingServerConfig(Section):
    """The whole file."""

    server: Server
    tunnel: Tunnel
    load_balancer: LoadBalancerAccess
    metrics: Metrics = Metrics()
    network_controller: NetworkControllerAccess = NetworkControllerAccess()
    api: Api = Field(default_factory=Api)

    @model_validator(mode="after")
    def _distinct_interfaces(self) -> Self:
        if self.server.egress_interface == self.tunnel.interface_name:
            raise ValueError("server.egress_interface and tunnel.interface_name are the same")
        return self
