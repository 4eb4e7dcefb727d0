"""What an endpoint's companion is given to do.

Apart from the model that it is checked with (`reporter.py`): that takes the agent's start longer to
import than all else here.
"""

from __future__ import annotations

from typing import Any

import nrs
from nrs.endpoint.config import NetworkAccessEndpointConfig


def work_of(config: NetworkAccessEndpointConfig) -> dict[str, Any]:
    """`reporter.EndpointWork` as JSON has it; `registration` is what the controller is told."""
    endpoint, tunnel = config.endpoint, config.tunnel
    return {
        "log_file": None if endpoint.log_file is None else str(endpoint.log_file),
        "log_level": endpoint.log_level,
        "tokens": config.api.tokens(config.load_balancer.url, config.network_controller.url),
        "ca_file": None if config.api.ca_file is None else str(config.api.ca_file),
        "revocations_from": config.api.asked(
            config.load_balancer.url, config.network_controller.url
        ),
        "revocations_file": config.api.watched,
        "controller": config.network_controller.model_dump(mode="json"),
        "registration": {
            "device_id": endpoint.endpoint_id,
            "device_type": "network_access_endpoint",
            "name": endpoint.name,
            "tun_ipv4": "0.0.0.0" if tunnel.tun_ipv4 is None else str(tunnel.tun_ipv4.ip),
            "tun_ipv6": "::" if tunnel.tun_ipv6 is None else str(tunnel.tun_ipv6.ip),
            "version": nrs.__version__,
        },
        "load_balancer": config.load_balancer.model_dump(mode="json"),
        "candidates": [router.router_id for router in config.routers],
    }
