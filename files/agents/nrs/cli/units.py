"""The four units: their names, and where their agent and configuration model live.

Modules are named, not imported, so that a command loads only what it needs.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from pydantic import BaseModel

CONFIG_DIRECTORY = Path("/etc/network-routing-system")


@dataclass(frozen=True)
class Unit:
    """One of the system's services."""

    name: str
    package: str
    model_name: str
    summary: str

    @property
    def command(self) -> str:
        """The sub-command of `nrs` that runs it."""
        return self.name.replace("_", "-")

    @property
    def config_file(self) -> Path:
        """Where its configuration lies when nothing else is said."""
        return CONFIG_DIRECTORY / f"{self.name}.yaml"

    def model(self) -> type[BaseModel]:
        """The model of its configuration file."""
        module = importlib.import_module(f"{self.package}.config")
        return cast("type[BaseModel]", getattr(module, self.model_name))

    def agent(self) -> Callable[[Path], int]:
        """Its entry point: runs with a configuration file, returns the exit status."""
        module = importlib.import_module(f"{self.package}.agent")
        return cast("Callable[[Path], int]", module.run)


UNITS = {
    unit.name: unit
    for unit in (
        Unit(
            "routing_server",
            "nrs.router",
            "RoutingServerConfig",
            "Run a routing server: terminates tunnels and forwards to the egress network.",
        ),
        Unit(
            "load_balancer",
            "nrs.balancer",
            "LoadBalancerConfig",
            "Run the load balancer: ranks the routing servers by the metrics they report.",
        ),
        Unit(
            "network_access_endpoint",
            "nrs.endpoint",
            "NetworkAccessEndpointConfig",
            "Run an access endpoint: keeps tunnels to its routing servers.",
        ),
        Unit(
            "network_controller",
            "nrs.controller",
            "NetworkControllerConfig",
            "Run the network controller: registers devices and gives them addresses.",
        ),
    )
}
