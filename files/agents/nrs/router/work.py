"""What the routing server's companion is given to do.

Apart from the model that it is checked with (`reporter.py`): that takes the agent's start longer to
import than all else here.
"""

from __future__ import annotations

from typing import Any

import nrs
from nrs.router.config import RoutingServerConfig


def work_of(config: RoutingServerConfig) -> dict[str, Any]:
    """`reporter.RouterWork` as JSON has it; `registration` is what the controller is told."""
    server, tunnel = config.server, config.tunnel
    internal, external = server.internal_ip, server.external_ip
    return {
        "log_file": None if server.log_file is None else str(server.log_file),
        "log_level": server.log_level,
        "tokens": config.api.tokens(config.load_balancer.url, config.network_controller.url),
        "ca_file": None if config.api.ca_file is None else str(config.api.ca_file),
        "revocations_from": config.api.asked(
            config.load_balancer.url, config.network_controller.url
        ),
        "revocations_file": config.api.watched,
        "controller": config.network_controller.model_dump(mode="json"),
        "registration": {
            "device_id": server.server_id,
            "device_type": "routing_server",
            "name": server.name,
            "tun_ipv4": "0.0.0.0" if tunnel.tun_ipv4 is None else str(tunnel.tun_ipv4.ip),
            "tun_ipv6": "::" if tunnel.tun_ipv6 is None else str(tunnel.tun_ipv6.ip),
            "internal_ip": None if internal is None else str(internal),
            "external_ip": None if external is None else str(external),
            "port": server.ports[0],
            "ports": server.ports if len(server.ports) > 1 else None,
            "version": nrs.__version__,
        },
        "load_balancer": config.load_balancer.model_dump(mode="json"),
        "metrics": config.metrics.model_dump(mode="json"),
    }
