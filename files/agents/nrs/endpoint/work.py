"""What an endpoint's companion is given to do."""

from __future__ import annotations

import nrs
from nrs.agent.tasks import Work
from nrs.api.messages import Registration
from nrs.config.common import PolledLoadBalancer
from nrs.endpoint.config import NetworkAccessEndpointConfig


class EndpointWork(Work):
    """Ask the load balancer about the candidates."""

    load_balancer: PolledLoadBalancer
    candidates: list[str]


def work_of(config: NetworkAccessEndpointConfig) -> EndpointWork:
    """As the configuration has it; `registration` is what the controller is told."""
    return EndpointWork(
        log_file=config.endpoint.log_file,
        token=config.api.bearer_token,
        controller=config.network_controller,
        registration=Registration(
            device_id=config.endpoint.endpoint_id,
            device_type="network_access_endpoint",
            name=config.endpoint.name,
            tun_ipv4=config.tunnel.tun_ipv4.ip,
            tun_ipv6=config.tunnel.tun_ipv6.ip,
            version=nrs.__version__,
        ),
        load_balancer=config.load_balancer,
        candidates=[router.router_id for router in config.routers],
    )
