"""Sends probes of one family the way of the endpoints' packets, and brings what comes of it to
`Passage`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from pyroute2.netlink.exceptions import NetlinkError

from nrs.config.types import IPAddress
from nrs.router.config import RoutingServerConfig
from nrs.router.passage import Passage, State, Traffic
from nrs.router.probe import Probes, free_address
from nrs.system import nftables, way
from nrs.system.echo import EchoSocket
from nrs.system.nftables import NftablesError
from nrs.tunnel.loop import PacketLoop, Timer
from nrs.tunnel.tun_device import TunDevice

log = logging.getLogger(__name__)

Source = Callable[[IPAddress], IPAddress | None]
"""From where an address is asked."""

_LOOK_S = 1.0
"""Between two looks at the host while the way is in doubt."""
_GATEWAY_S = 30.0
_START_S = 3.0
"""By then it is known whether packets pass; else what speaks against it is told."""


@dataclass(frozen=True)
class _Found:
    """What a look at the host has found."""

    gateway: IPAddress | None
    obstacles: list[str] | None = None
    """None: not looked for."""


class PassageWatch:
    """Calls `changed` when `open` has changed."""

    def __init__(
        self,
        loop: PacketLoop,
        tun: TunDevice,
        config: RoutingServerConfig,
        probes: Probes,
        version: int,
        *,
        taken: Callable[[IPAddress], bool],
        sending: Callable[[float], int],
        others_pass: Callable[[], bool],
        tell_once: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        """`taken`: whether an address is somebody's; `sending`: how many endpoints have sent
        packets within so many seconds; `others_pass`: whether packets of the other family get
        through. `probes` is shown what comes back.
        """
        self._loop = loop
        self._tun = tun
        self._config = config
        self._probes = probes
        self.version = version
        self._taken = taken
        self._sending = sending
        self._others_pass = others_pass
        self._tell_once = tell_once
        self._changed = changed
        self._passage = Passage()
        self._paused = False
        self._echo: EchoSocket | None = None
        self._echo_to: tuple[IPAddress, str] | None = None
        self._echoed = False
        self._number = 0
        self._found = _Found(None)
        self._looked = -_GATEWAY_S
        self._looking: threading.Thread | None = None
        self._began = loop.clock()
        self._told_at_start = False
        self._since = time.time()
        self._timer: Timer = loop.call_later(0.0, self._tick)

    @property
    def open(self) -> bool:
        """Whether packets get through the host, as far as is known."""
        return self._paused or self._passage.state is not State.SHUT

    @property
    def state(self) -> State:
        """What is known of the way through the host."""
        return self._passage.state

    @property
    def passes(self) -> bool:
        """Whether packets are known to get through."""
        return self._passage.state is State.OPEN

    @property
    def reason(self) -> str | None:
        """What is wrong, or None."""
        if self.open:
            return None
        why = (
            "; ".join(self._found.obstacles or ())
            or "see the firewall, NAT and rp_filter of this host"
        )
        what = f"no IPv{self.version} from tunnels"
        return f"{what} gets through to {self._egress} and back: {why}"

    @property
    def problems(self) -> list[tuple[str, float]]:
        """What else is wrong, though packets pass, and since when (seconds since the epoch)."""
        if not self.open or self._paused or not self._passage.missed:
            return []
        return [
            (
                f"probes from tunnels to {self._target} do not come back, other packets do",
                self._since,
            )
        ]

    def configure(self, config: RoutingServerConfig) -> None:
        """Go by another configuration."""
        before = self._watched
        self._config = config
        if self._watched != before:
            self._begin()

    def pause(self, paused: bool) -> None:
        """While the router itself rejects what is to be forwarded, nothing is found out."""
        if paused != self._paused:
            self._paused = paused
            self._begin()

    def close(self) -> None:
        """Stop watching."""
        self._timer.cancel()
        self._close_echo()

    @property
    def _watched(self) -> tuple[object, ...]:
        """What the way is asked by, and what decides whether a gateway may be."""
        return self._egress, self._asked, self._config.tunnel.protected_networks

    @property
    def _egress(self) -> str:
        return self._config.server.egress_interface

    @property
    def _asked(self) -> IPAddress | None:
        return self._config.egress.asked(self.version)

    @property
    def _target(self) -> IPAddress | None:
        return self._asked or self._found.gateway

    def _begin(self) -> None:
        self._passage = Passage()
        self._found = _Found(None)
        self._looked = -_GATEWAY_S
        self._close_echo()

    # -- in the packet loop

    def _tick(self) -> None:
        now = self._loop.clock()
        was_open, missed = self.open, self._passage.missed
        echoed, self._echoed = self._echoed, False
        obstacles = self._found.obstacles if missed else None
        self._passage.tick(
            now,
            echoed=echoed,
            probed=self._probes.answered(self.version),
            endpoints=self._sending(now),
            # A gateway need not be meant to be reached from tunnels.
            sure=obstacles is not None and bool(self._asked or obstacles),
        )
        if self._passage.missed and not missed:
            self._since = time.time()
        self._tell(was_open)
        if not self._paused:
            self._send()
            self._look(now)
        self._timer = self._loop.call_later(self._passage.interval, self._tick)

    def _send(self) -> None:
        target = self._target
        if target is None:
            return
        source = self._source(target)
        if source is None or not self._open_echo(target):
            return
        self._tun.deliver(self._probes.next(source, target))
        if self._echo is not None:
            self._number += 1
            self._echo.send(self._number)

    def _source(self, target: IPAddress) -> IPAddress | None:
        for address in self._config.tunnel.addresses:
            if address.version == target.version:
                return free_address(address.network, self._taken)
        return None

    def _open_echo(self, target: IPAddress) -> bool:
        if self._echo_to == (target, self._egress):
            return True
        self._close_echo()
        try:
            self._echo = EchoSocket(target, self._egress)
        except OSError:
            return False  # which the egress's own check tells
        self._echo_to = (target, self._egress)
        self._loop.add_reader(self._echo.fileno(), self._read_echo)
        return True

    def _read_echo(self) -> None:
        if self._echo is not None and self._echo.receive() is not None:
            self._echoed = True

    def _close_echo(self) -> None:
        if self._echo is not None:
            self._loop.remove_reader(self._echo.fileno())
            self._echo.close()
        self._echo = self._echo_to = None

    def _tell(self, was_open: bool) -> None:
        if self.open is was_open:
            return
        if self.open:
            log.info("IPv%d from tunnels gets through to %s again", self.version, self._egress)
        else:
            self._since = time.time()
            log.error("%s", self.reason)
        self._changed()

    # -- looks at the host, in a thread

    def _look(self, now: float) -> None:
        passage = self._passage
        endpoints = self._sending(now)
        traffic = passage.wants_traffic(endpoints)
        at_start = not self._told_at_start and now - self._began >= _START_S
        obstacles = passage.missed or passage.state is State.SHUT or at_start
        if not traffic and not obstacles and self._asked is not None:
            return  # the gateway is of no interest
        wait = _LOOK_S if traffic or obstacles else _GATEWAY_S
        if now - self._looked < wait or (self._looking and self._looking.is_alive()):
            return
        self._looked = now
        self._told_at_start = self._told_at_start or at_start

        def ask() -> None:
            found = _ask(self._config, self.version, self._source, obstacles=obstacles)
            counted = _count(self.version) if traffic else None
            self._loop.wake(lambda: self._take(passage, found, counted, endpoints, at_start))

        self._looking = threading.Thread(target=ask, name="way", daemon=True)
        self._looking.start()

    def _take(
        self,
        passage: Passage,
        found: _Found,
        traffic: Traffic | None,
        endpoints: int,
        at_start: bool,
    ) -> None:
        if passage is not self._passage:
            return
        was_open = self.open
        self._found = found
        if traffic is not None:
            # Who sends by the other family says nothing of this one.
            word = 0 if self._others_pass() else endpoints
            passage.handle_traffic(traffic, word, self._loop.clock())
        if at_start and passage.state is State.UNKNOWN:
            for obstacle in found.obstacles or ():
                self._tell_once(obstacle)
        self._tell(was_open)


def _ask(config: RoutingServerConfig, version: int, source: Source, *, obstacles: bool) -> _Found:
    """Where nothing can be asked, nothing is known."""
    egress, tunnel = config.server.egress_interface, config.tunnel.interface_name
    try:
        gateway = way.gateway(egress, version)
        if gateway is not None and config.tunnel.protecting(gateway) is not None:
            gateway = None  # the router's own rules drop every probe to it
        if not obstacles:
            return _Found(gateway)
        target = config.egress.asked(version) or gateway
        where = None if target is None else (source(target), target)
        return _Found(gateway, way.obstacles(where, tunnel, egress))
    except (OSError, NetlinkError) as error:
        log.debug("the way to %s cannot be looked at: %s", egress, error)
        return _Found(None)


def _count(version: int) -> Traffic:
    try:
        counted = nftables.counters()
    except NftablesError:
        counted = {}
    names = (nftables.ENTERED, nftables.LEFT, nftables.RETURNED)
    return Traffic(*(counted.get(nftables.counter_of(name, version), 0) for name in names))
