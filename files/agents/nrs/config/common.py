"""Sections that several of the configuration files have."""

from __future__ import annotations

from pydantic import StrictBool

from nrs.config.types import Seconds, Section, Urls


class LoadBalancerAccess(Section):
    """Where the load balancers are; the next in the list is asked when one fails."""

    url: Urls


class PolledLoadBalancer(LoadBalancerAccess):
    """The load balancer as an endpoint uses it; without `use` it is not asked."""

    use: StrictBool = True
    poll_interval: Seconds = 10.0


class NetworkControllerAccess(Section):
    """Where the controller is. Without `url` the agent does not register."""

    url: Urls | None = None
    status_interval: Seconds = 10.0
