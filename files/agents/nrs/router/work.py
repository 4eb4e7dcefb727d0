"""What the routing server's companion is given to do."""

from __future__ import annotations

import nrs
from nrs.agent.tasks import Work
from nrs.api.messages import Registration
from nrs.config.common import LoadBalancerAccess
from nrs.router.config import Metrics, RoutingServerConfig


class RouterWork(Work):
    """Metrics to the load balancers, status to the controller."""

    load_balancer: LoadBalancerAccess
    metrics: Metrics


def work_of(config: RoutingServerConfig) -> RouterWork:
    """As `config` says."""
    server, tunnel = config.server, config.tunnel
    return RouterWork(
        log_file=server.log_file,
        token=config.api.bearer_token,
        controller=config.network_controller,
        registration=Registration(
            device_id=server.server_id,
            device_type="routing_server",
            name=server.name,
            tun_ipv4=tunnel.tun_ipv4.ip,
            tun_ipv6=tunnel.tun_ipv6.ip,
            internal_ip=server.internal_ip,
            external_ip=server.external_ip,
            port=server.bind_port,
            version=nrs.__version__,
        ),
        load_balancer=config.load_balancer,
        metrics=config.metrics,
    )
