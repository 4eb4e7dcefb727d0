"""The ways of both families through the host: one that is shut makes the router useless."""

from __future__ import annotations

import logging
from collections.abc import Callable

from nrs.config.tun_addresses import Families
from nrs.config.types import IPAddress
from nrs.router.config import RoutingServerConfig
from nrs.router.passage_watch import PassageWatch
from nrs.router.probe import Probes
from nrs.tunnel.loop import PacketLoop
from nrs.tunnel.tun_device import TunDevice

log = logging.getLogger(__name__)


class Passages:
    """A `PassageWatch` for each family that the TUN device has an address of."""

    def __init__(
        self,
        loop: PacketLoop,
        tun: TunDevice,
        config: RoutingServerConfig,
        probes: Probes,
        families: Families,
        *,
        taken: Callable[[IPAddress], bool],
        sending: Callable[[float], int],
        changed: Callable[[], None],
    ) -> None:
        """All but `families` as `PassageWatch` has it."""
        self._told: set[str] = set()
        self._watches: list[PassageWatch] = []
        versions = families & {address.version for address in config.tunnel.addresses}
        for version in sorted(versions):
            watch = PassageWatch(
                loop,
                tun,
                config,
                probes,
                version,
                taken=taken,
                sending=sending,
                others_pass=self._passes_but(version),
                tell_once=self._tell_once,
                changed=changed,
            )
            self._watches.append(watch)

    @property
    def open(self) -> bool:
        """Whether packets of every family get through the host, as far as is known."""
        return all(watch.open for watch in self._watches)

    @property
    def states(self) -> dict[str, str]:
        """What is known of the way through the host, by family."""
        return {f"IPv{watch.version}": watch.state.value for watch in self._watches}

    @property
    def reason(self) -> str | None:
        """What is wrong, or None."""
        return "; ".join(filter(None, (watch.reason for watch in self._watches))) or None

    @property
    def problems(self) -> list[tuple[str, float]]:
        """What else is wrong, though packets pass, and since when (seconds since the epoch)."""
        return [problem for watch in self._watches for problem in watch.problems]

    def configure(self, config: RoutingServerConfig) -> None:
        """Go by another configuration."""
        for watch in self._watches:
            watch.configure(config)

    def pause(self, paused: bool) -> None:
        """While the router itself rejects what is to be forwarded, nothing is found out."""
        for watch in self._watches:
            watch.pause(paused)

    def close(self) -> None:
        """Stop watching."""
        for watch in self._watches:
            watch.close()

    def _passes_but(self, version: int) -> Callable[[], bool]:
        return lambda: any(one.passes for one in self._watches if one.version != version)

    def _tell_once(self, obstacle: str) -> None:
        if obstacle not in self._told:
            self._told.add(obstacle)
            log.warning("packets from tunnels may not get through: %s", obstacle)
