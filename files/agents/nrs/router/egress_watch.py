"""Watches the egress from the packet loop: link events and echoes around `EgressHealth`."""

from __future__ import annotations

import logging
from collections.abc import Callable

from nrs.router.carrier_watch import CarrierWatch
from nrs.router.config import Egress
from nrs.router.delivery import Echoes
from nrs.router.egress import EgressHealth, Link, Reach
from nrs.router.egress_link import EgressLink
from nrs.system.carrier import has_carrier
from nrs.system.echo import EchoSocket
from nrs.system.link_events import Event, LinkEvents
from nrs.tunnel.loop import PacketLoop, Timer

log = logging.getLogger(__name__)


class EgressWatch:
    """Calls `changed` whenever the egress goes down or comes back."""

    def __init__(
        self,
        loop: PacketLoop,
        interface: str,
        settings: Egress,
        changed: Callable[[], None],
        busy: Callable[[], bool],
    ) -> None:
        """`busy` tells, in any thread, whether packets flow. Raises OSError."""
        self._loop = loop
        self._changed = changed
        self._busy = busy
        self._carrier: CarrierWatch | None = None
        self._no_carrier = False
        self._tick_timer: Timer | None = None
        self._echo: EchoSocket | None = None
        self._echo_index: int | None = None
        self._echo_error = ""
        self._answered = False
        self._echoes = Echoes()
        self._events = LinkEvents()
        loop.add_reader(self._events.fileno(), self._read_events)
        self._begin(interface, settings, self._events.first())

    @property
    def up(self) -> bool:
        """Whether packets get through to the business server, as far as is known."""
        return self._health.up

    @property
    def echoes(self) -> Echoes | None:
        """Those to the business server; None where nobody is asked."""
        return None if self._settings.check_ip is None else self._echoes

    @property
    def reason(self) -> str | None:
        """What is wrong with the egress, or None."""
        if self.up:
            return None
        if self._health.link is not Link.READY:
            return f"{self._interface} {self._health.link.value}"
        return f"{self._settings.check_ip} does not answer through {self._interface}"

    def configure(self, interface: str, settings: Egress) -> None:
        """Watch as stated from now on; what has not changed goes on. Raises OSError."""
        if (interface, settings) == (self._interface, self._settings):
            return
        was_up = self.up
        same = (interface, settings.check_ip) == (self._interface, self._settings.check_ip)
        unreachable = same and self._health.reach is Reach.UNREACHABLE
        if interface == self._interface:
            self._begin(interface, settings, [])
        else:
            events = LinkEvents()
            try:
                told = events.first()
            except OSError:
                events.close()
                raise
            self._loop.remove_reader(self._events.fileno())
            self._events.close()
            self._events = events
            self._loop.add_reader(events.fileno(), self._read_events)
            self._begin(interface, settings, told)
        if unreachable:  # another interval does not make it answer
            self._health.reach = Reach.UNREACHABLE
        if self.up != was_up:
            self._tell()

    def close(self) -> None:
        """Stop watching."""
        self._stop_checking()
        if self._carrier is not None:
            self._carrier.stop()
        self._loop.remove_reader(self._events.fileno())
        self._events.close()

    def _begin(self, interface: str, settings: Egress, told: list[Event]) -> None:
        """Start over with the check; `told` is empty where the interface is the same as before."""
        self._stop_checking()
        self._interface, self._settings = interface, settings
        self._health = EgressHealth(
            checked=settings.check_ip is not None, misses=settings.check_misses
        )
        if told:
            self._link = EgressLink(interface)
            for event in told:
                self._link.take(event)
            self._watch_carrier(interface)
        self._set_link()
        if settings.check_ip is not None:
            self._due = self._loop.clock()
            self._open_echo()
            self._send_echo()

    # -- the link

    def _read_events(self) -> None:
        changed = False
        for event in self._events.read():
            self._link.take(event)
            changed = self._set_link() or changed
        if changed:
            self._tell()

    def _set_link(self) -> bool:
        """Go by what the kernel has told, and what it said when asked; whether `up` changed."""
        state = self._link.state
        lost = self._no_carrier and state is Link.READY
        return self._health.set_link(Link.NO_CARRIER if lost else state)

    def _watch_carrier(self, interface: str) -> None:
        if self._carrier is not None:
            self._carrier.stop()
        self._no_carrier = False
        watch = self._carrier = CarrierWatch(
            lambda: has_carrier(interface),
            self._busy,
            lambda carrier: self._loop.wake(lambda: self._take_carrier(watch, carrier)),
        )
        watch.start()

    def _take_carrier(self, watch: CarrierWatch, carrier: bool) -> None:
        if watch is not self._carrier:
            return  # of an interface that is not watched any more
        self._no_carrier = not carrier
        if self._set_link():
            self._tell()

    # -- the echoes

    def _tick(self) -> None:
        answered, self._answered = self._answered, False
        if self._health.tick(answered):
            self._tell()
        self._send_echo()

    def _send_echo(self) -> None:
        # The socket is bound to an interface by its index: one that is made anew has another.
        if self._link.index != self._echo_index:
            self._open_echo()
        if self._echo is not None and self._health.link is Link.READY:
            self._echoes.asked += 1
            self._echo.send(self._echoes.asked)
        interval = self._settings.check_interval
        now = self._loop.clock()
        # In step with the clock, but an echo has at least half an interval for its answer also
        # where this one is late.
        self._due = max(self._due + interval, now + interval / 2)
        self._tick_timer = self._loop.call_at(self._due, self._tick)

    def _read_echo(self) -> None:
        number = self._echo.receive() if self._echo is not None else None
        if number is not None:
            self._answered = True
            self._echoes.answered = max(self._echoes.answered, number)

    def _open_echo(self) -> None:
        self._close_echo()
        address = self._settings.check_ip
        self._echo_index = self._link.index
        if address is None or self._echo_index is None:
            return
        try:
            self._echo = EchoSocket(address, self._interface)
        except OSError as error:
            if str(error) != self._echo_error:
                log.error("cannot send echoes to %s: %s", address, error)
            self._echo_error = str(error)
            self._echo_index = None
        else:
            self._echo_error = ""
            self._loop.add_reader(self._echo.fileno(), self._read_echo)

    def _close_echo(self) -> None:
        if self._echo is not None:
            self._loop.remove_reader(self._echo.fileno())
            self._echo.close()
        self._echo = None
        self._echo_index = None

    def _stop_checking(self) -> None:
        if self._tick_timer is not None:
            self._tick_timer.cancel()
        self._tick_timer = None
        self._answered = False
        self._close_echo()

    def _tell(self) -> None:
        if self.up:
            log.info("egress is up again through %s", self._interface)
        else:
            log.error("egress is down: %s", self.reason)
        self._changed()
