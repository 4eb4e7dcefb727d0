"""Watches the egress from the packet loop: brings links, carrier and echoes to `EgressHealth`."""

from __future__ import annotations

import logging
from collections.abc import Callable

from nrs.router.carrier_watch import CarrierWatch
from nrs.router.config import Egress
from nrs.router.egress import EgressHealth
from nrs.system.carrier import has_carrier
from nrs.system.echo import EchoSocket
from nrs.system.link_changes import Event
from nrs.system.link_events import LinkEvents
from nrs.tunnel.loop import PacketLoop, Timer

log = logging.getLogger(__name__)


class EgressWatch:
    """Calls `changed` when `health` has, be it only by an echo that was sent or answered."""

    def __init__(
        self,
        loop: PacketLoop,
        interface: str,
        check: Egress,
        changed: Callable[[], None],
        busy: Callable[[], bool],
    ) -> None:
        """`busy` tells, in any thread, whether packets flow. Raises OSError."""
        self._loop = loop
        self._interface = interface
        self._check = check
        self._changed = changed
        self._busy = busy
        self._tick_timer: Timer | None = None
        self._echo: EchoSocket | None = None
        self._echo_index: int | None = None
        self._echo_error = ""
        self._events, told = _links()
        self._health = EgressHealth(interface, check, told)
        loop.add_reader(self._events.fileno(), self._read_events)
        self._carrier = self._watch_carrier()
        self._begin_check()

    @property
    def health(self) -> EgressHealth:
        """What is known; not to be changed."""
        return self._health

    def configure(self, interface: str, check: Egress) -> None:
        """Watch as stated from now on; what has not changed goes on. Raises OSError."""
        if (interface, check) == (self._interface, self._check):
            return
        events, told = (None, []) if interface == self._interface else _links()
        was_up = self._health.up
        self._end_check()
        self._interface, self._check = interface, check
        self._health.handle_config(interface, check, told)
        if events is not None:
            self._loop.remove_reader(self._events.fileno())
            self._events.close()
            self._events = events
            self._loop.add_reader(events.fileno(), self._read_events)
            self._carrier.stop()
            self._carrier = self._watch_carrier()
        self._begin_check()
        self._tell(was_up)

    def close(self) -> None:
        """Stop watching."""
        self._end_check()
        self._carrier.stop()
        self._loop.remove_reader(self._events.fileno())
        self._events.close()

    def _tell(self, was_up: bool) -> None:
        if self._health.up and not was_up:
            log.info("egress is up again through %s", self._interface)
        elif was_up and not self._health.up:
            log.error("egress is down: %s", self._health.reason)
        self._changed()

    # -- the link

    def _read_events(self) -> None:
        was_up = self._health.up
        for event in self._events.read():
            self._health.handle_link(event)
        self._tell(was_up)

    def _watch_carrier(self) -> CarrierWatch:
        interface = self._interface
        watch = CarrierWatch(
            lambda: has_carrier(interface),
            self._busy,
            lambda carrier: self._loop.wake(lambda: self._take_carrier(watch, carrier)),
        )
        watch.start()
        return watch

    def _take_carrier(self, watch: CarrierWatch, carrier: bool) -> None:
        if watch is not self._carrier:
            return  # of an interface that is not watched any more
        was_up = self._health.up
        self._health.handle_carrier(carrier)
        self._tell(was_up)

    # -- the echoes

    def _begin_check(self) -> None:
        if self._check.check_ip is not None:
            self._due = self._loop.clock()
            self._send_echo()

    def _end_check(self) -> None:
        if self._tick_timer is not None:
            self._tick_timer.cancel()
        self._tick_timer = None
        self._close_echo()

    def _tick(self) -> None:
        was_up = self._health.up
        self._health.tick()
        self._send_echo()
        self._tell(was_up)

    def _send_echo(self) -> None:
        # The socket is bound to an interface by its index: one that is made anew has another.
        if self._health.index != self._echo_index:
            self._open_echo()
        if self._echo is not None:
            number = self._health.ask()
            if number is not None:
                self._echo.send(number)
        interval = self._check.check_interval
        now = self._loop.clock()
        # In step with the clock, but an echo has at least half an interval for its answer also
        # where this one is late.
        self._due = max(self._due + interval, now + interval / 2)
        self._tick_timer = self._loop.call_at(self._due, self._tick)

    def _read_echo(self) -> None:
        number = self._echo.receive() if self._echo is not None else None
        if number is not None:
            self._health.handle_answer(number)
            self._changed()

    def _open_echo(self) -> None:
        self._close_echo()
        address, index = self._check.check_ip, self._health.index
        if address is None or index is None:
            return
        try:
            self._echo = EchoSocket(address, self._interface)
        except OSError as error:
            if str(error) != self._echo_error:
                log.error("cannot send echoes to %s: %s", address, error)
            self._echo_error = str(error)
        else:
            self._echo_error = ""
            self._echo_index = index
            self._loop.add_reader(self._echo.fileno(), self._read_echo)

    def _close_echo(self) -> None:
        if self._echo is not None:
            self._loop.remove_reader(self._echo.fileno())
            self._echo.close()
        self._echo = None
        self._echo_index = None


def _links() -> tuple[LinkEvents, list[Event]]:
    """A socket of link events, and what it told at first. Raises OSError."""
    events = LinkEvents()
    try:
        return events, events.first()
    except OSError:
        events.close()
        raise
