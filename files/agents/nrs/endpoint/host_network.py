"""What an endpoint changes in its host's network: follows the configuration, and is put back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from nrs.config.tun_addresses import Families
from nrs.config.types import Interface4, Interface6, IPAddress
from nrs.endpoint import route_plan, uplink_check, uplink_plan
from nrs.endpoint.config import NetworkAccessEndpointConfig
from nrs.endpoint.service_addresses import ServiceAddresses, Services
from nrs.endpoint.uplink_plan import Arranged, Bound
from nrs.system import route
from nrs.system.arp_memory import ArpMemory
from nrs.system.network_keeper import NetworkKeeper, Planner
from nrs.system.placing import Plan, Present

log = logging.getLogger(__name__)

_SETTLE_S = 4.0


class HostNetwork:
    """The TUN device's addresses, routes through it and by uplinks, rules and ARP settings.

    All in place when it is made.
    """

    def __init__(
        self,
        device: str,
        config: NetworkAccessEndpointConfig,
        families: Families,
        runtime_directory: Path,
        present: Mapping[IPAddress, IPAddress],
        renamed: Callable[[], object],
    ) -> None:
        """`families` are those that the device can have; `present` is as in `leaving`.

        `renamed` is called in a thread when names lead elsewhere. Raises OSError.
        """
        self._planning = threading.Lock()
        """Held, for a moment, by who makes another plan: events, names and reloads do."""
        self._arranged = Arranged()
        """As planned last."""
        self._config = config
        self._families = families
        self._present = present
        self._renamed = renamed
        self._services = ServiceAddresses(config)
        self._found = self._services.known
        self._keeper = NetworkKeeper(
            device,
            [(own.ip, own.network.prefixlen) for own in self._own(config)],
            self._planner(config, self._services.known),
            protocol=route.ENDPOINT,
            memory=ArpMemory(runtime_directory),
        )
        self._keeper.check()

    def start(self) -> None:
        """Keep it so from now on, and say what is not as it has to be."""
        self._tell_faults()
        self._keeper.start()
        self._follow()

    def leave_from(self, present: Mapping[IPAddress, IPAddress]) -> None:
        """Have the rules of uplinks for other addresses; does not wait."""
        with self._planning:
            self._present = present
            self._take_services(self._found)

    def configure(
        self, config: NetworkAccessEndpointConfig, present: Mapping[IPAddress, IPAddress]
    ) -> None:
        """Have it as `config` says; does not wait."""
        with self._planning:
            self._services.stop()
            self._config, self._present = config, present
            self._services = ServiceAddresses(config, self._found)
            self._take_services(self._services.known)
        self._follow()

    def settle(self) -> None:
        """Wait until it is as configured, in another thread than that which configures."""
        self._keeper.settle(_SETTLE_S)
        self._tell_faults()

    def stop(self) -> None:
        """Leave all as it is from now on; may be called again."""
        self._services.stop()
        self._keeper.stop()

    def withdraw(self) -> None:
        """Stop, and remove routes and rules."""
        self.stop()
        self._keeper.withdraw()

    def close(self) -> None:
        """Stop, and let go of the sockets."""
        self.stop()
        self._keeper.close()

    def status(self) -> dict[str, Any]:
        """For `nrs status`."""
        return {
            "routes": self._keeper.status(),
            **self._keeper.upkeep(),
        }

    @property
    def problems(self) -> list[tuple[str, float]]:
        """What is not as it is wanted, and since when (seconds since the epoch)."""
        return self._keeper.problems

    @property
    def named(self) -> Mapping[IPAddress, str]:
        """Where the names of routers and APIs lead, and whose each address is. In any thread."""
        return self._found.named

    def _follow(self) -> None:
        followed = self._services
        followed.follow(lambda services: self._take_named(followed, services))

    def _take_named(self, followed: ServiceAddresses, services: Services) -> None:
        """In a thread."""
        with self._planning:
            if followed is not self._services:
                return
            self._take_services(services)
        self._renamed()

    def _take_services(self, services: Services) -> None:
        self._found = services
        self._keeper.replan(self._planner(self._config, services))

    def _own(self, config: NetworkAccessEndpointConfig) -> list[Interface4 | Interface6]:
        """The tunnel addresses that the device can have."""
        return [own for own in config.tunnel.addresses if own.version in self._families]

    def _planner(self, config: NetworkAccessEndpointConfig, services: Services) -> Planner:
        wish = route_plan.Wish(
            config.tunnel.routes,
            {own.version: own.ip.packed for own in self._own(config)},
            {r.address: r.router_id for r in config.routers if r.address is not None},
            services.addresses,
            config.tunnel.exclude,
            config.tunnel.advertise,
        )
        tunnels = list(leaving(config, services, self._present))
        sources = {bound.source.packed for bound in tunnels}
        managed = config.tunnel.manage_policy_routing

        def plan(host: Present, interface: int) -> Plan:
            found = self._arranged = uplink_plan.arrange(tunnels, host, interface)
            planned = route_plan.plan(wish, host.others, interface, host.names)
            return uplink_plan.added(planned, found, sources, managed=managed)

        return plan

    def _tell_faults(self) -> None:
        managed = self._config.tunnel.manage_policy_routing
        try:
            for text in uplink_check.faults(self._arranged, managed=managed):
                log.warning("%s", text)
        except OSError as error:
            log.warning("the routes of uplinks cannot be looked at: %s", error.strerror)


def leaving(
    config: NetworkAccessEndpointConfig,
    services: Services,
    present: Mapping[IPAddress, IPAddress],
) -> Iterable[Bound]:
    """The tunnels that are to leave from a certain address, to where they lead.

    `present` has those addresses that are not as configured.
    """
    for router in config.routers:
        local = router.bind_address
        if local is None or local.is_unspecified or local.is_loopback or local.is_link_local:
            continue
        known = services.by_name.get(router.host or "", ())
        for address in known if router.address is None else (router.address,):
            if address.version == local.version:
                source = present.get(local, local)
                moved = source != local
                yield Bound(router.router_id, source, address, router.gateway, moved)
