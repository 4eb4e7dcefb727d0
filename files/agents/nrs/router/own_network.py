"""A router's TUN device stays up, with its addresses and routes, whatever somebody else does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nrs.config.types import Interface4, Interface6
from nrs.system import route
from nrs.system.arp_memory import ArpMemory
from nrs.system.host_routes import HostRoutes
from nrs.system.network_keeper import NetworkKeeper
from nrs.system.placing import Plan, Present
from nrs.system.route_keeper import RouteKeeper


class OwnNetwork:
    """The device's state by one thread, the routes to what endpoints claim by another."""

    def __init__(
        self, device: str, addresses: Sequence[Interface4 | Interface6], runtime_directory: Path
    ) -> None:
        """Raises OSError."""
        routes = HostRoutes(device)
        self.routes = RouteKeeper(routes, device)
        try:
            self._keeper = NetworkKeeper(
                device,
                [(own.ip, own.network.prefixlen) for own in addresses],
                _plan,
                protocol=route.ROUTER,
                memory=ArpMemory(runtime_directory),
                ports=[routes.port],
                checked=self.routes.look,
            )
        except OSError:
            self.routes.close()
            raise

    def start(self) -> None:
        """Look, and watch from now on."""
        self._keeper.start()
        self._keeper.replan(_plan)

    def stop(self) -> None:
        """Leave all as it is; may be called again."""
        self._keeper.stop()

    def close(self) -> None:
        """Do what is asked of the routes, and let go of the sockets."""
        self._keeper.close()
        self.routes.close()

    def upkeep(self) -> dict[str, int]:
        """How many things that somebody took were put back, and how many are not kept."""
        kept = self._keeper.upkeep()
        return {
            "put_back": kept["put_back"] + self.routes.put_back,
            "not_kept": kept["not_kept"] + self.routes.not_kept,
        }

    @property
    def problems(self) -> list[tuple[str, float]]:
        """What is not as it has to be, and since when (seconds since the epoch)."""
        return [*self._keeper.problems, *self.routes.problems]


def _plan(present: Present, _: int) -> Plan:
    """Routes are the other thread's."""
    return Plan(beside=[thing for thing in present.things if isinstance(thing, bytes)])
