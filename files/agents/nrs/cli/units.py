"""The four units: their names, and where their agent and configuration model live.

Modules are named, not imported, so that a command loads only what it needs.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from pydantic import BaseModel

    from nrs.agent.run import Agent

CONFIG_DIRECTORY = Path("/etc/network-routing-system")


@dataclass(frozen=True)
class Unit:
    """One of the system's services."""

    name: str
    package: str
    agent_name: str
    """The class in its `agent.py`; that of its configuration has the same name with Config."""
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
        return cast("type[BaseModel]", getattr(module, f"{self.agent_name}Config"))

    def agent(self) -> type[Agent[Any]]:
        """What `run_agent` runs."""
        module = importlib.import_module(f"{self.package}.agent")
        return cast("type[Agent[Any]]", getattr(module, self.agent_name))


UNITS = {
    unit.name: unit
    for unit in (
        Unit(
            "routing_server",
            "nrs.router",
            "RoutingServer",
            "Run a routing server: terminates tunnels and forwards to the egress network.",
        ),
        Unit(
            "load_balancer",
            "nrs.balancer",
            "LoadBalancer",
            "Run the load balancer: ranks the routing servers by the metrics they report.",
        ),
        Unit(
            "network_access_endpoint",
            "nrs.endpoint",
            "NetworkAccessEndpoint",
            "Run an access endpoint: keeps tunnels to its routing servers.",
        ),
        Unit(
            "network_controller",
            "nrs.controller",
            "NetworkController",
            "Run the network controller: registers devices and gives them addresses.",
        ),
    )
}
TUNNEL_UNITS = ["routing_server", "network_access_endpoint"]
"""Those that change the network of their host."""
