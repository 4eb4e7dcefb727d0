"""Has an interface, its addresses, routes and rules put in place and kept there, by a thread.

What is in place is compared with what is wanted at each event of the kernel's that concerns us, and
only differences are asked for, in batches: the packet loop never waits, neither for the kernel nor
for long for the interpreter.
"""

from __future__ import annotations

import errno
import logging
import math
import os
import select
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from nrs.config.types import IPAddress
from nrs.system.arp import ArpSetting
from nrs.system.arp_memory import ArpMemory
from nrs.system.interface_settings import in_force
from nrs.system.network_view import NetworkView, remove_leftovers, set_arp
from nrs.system.placing import (
    Address,
    Connected,
    Plan,
    Present,
    Thing,
    Up,
    additions,
    describe,
    own_network,
    removals,
)
from nrs.system.upkeep import Upkeep
from nrs.system.upkeep_words import Words

log = logging.getLogger(__name__)

Planner = Callable[[Present, int], Plan]
"""From what the host has, and the index of our interface: the plan."""

_SETTLE_S = 0.05
"""What somebody does is let come to its end first."""
_FAILED_S = 1.0
_INTERVAL_S = 1.0
"""Between looks at settings, of whose changes the kernel does not tell."""
_END_TIMEOUT_S = 4.0
_NOBODY = frozenset({errno.ENODEV, errno.ENXIO})


class NetworkKeeper:
    """Of one interface. `check` it once, then `start` the thread."""

    def __init__(
        self,
        name: str,
        addresses: Sequence[tuple[IPAddress, int]],
        planner: Planner,
        *,
        protocol: int,
        memory: ArpMemory,
        ports: Collection[int] = (),
        checked: Callable[[], object] = lambda: None,
    ) -> None:
        """`addresses` with the bits of their networks. Raises OSError.

        What is done by netlink sockets of these `ports` needs no look. `checked` is called in the
        thread after each.
        """
        self._name = name
        self._protocol = protocol
        self._memory = memory
        self._view = NetworkView(name, protocol, ports)
        self._checked = checked
        self._fixed: set[Thing] = {Up()}
        for address, bits in addresses:
            self._fixed |= own_network(address.packed, bits)
        self._planner = planner
        self._plan = Plan()
        self._upkeep: Upkeep[Thing] = Upkeep()
        self._words: Words[Thing] = Words(name, describe)
        self._since: dict[str, float] = {}
        """When what is wrong with the wish was found, by its sentence."""
        self._in_place = 0
        self._done = threading.Event()
        """Of the last `replan`."""
        self._dirty: float | None = None
        self._look_at = 0.0
        """When to look at the settings next."""
        self._failed: str | None = None
        self._ending = False
        self._wake_reader, self._wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._lock = threading.Lock()
        """Of `check` and `withdraw`."""
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)

    def start(self) -> None:
        """Watch from now on."""
        self._thread.start()

    def replan(self, planner: Planner) -> None:
        """Have it as `planner` says from now on; does not wait."""
        self._planner = planner
        self._done = threading.Event()
        self._wake()

    def settle(self, seconds: float) -> None:
        """Wait until what was wanted last is in place, but not for longer."""
        self._done.wait(seconds)

    def stop(self) -> None:
        """End the thread, and leave all as it is; may be called again."""
        self._ending = True
        if self._thread.is_alive():
            self._wake()
            self._thread.join(_END_TIMEOUT_S)

    def withdraw(self) -> None:
        """Remove the routes and rules and put settings back, also where the interface is gone."""
        self.stop()
        with self._lock:
            self._memory.restore(set_arp)
            try:
                remove_leftovers(self._protocol)
            except OSError as error:
                log.warning("cannot remove the routes to %s: %s", self._name, error.strerror)

    def close(self) -> None:
        """Let go of the sockets, after `stop`."""
        self.stop()
        self._view.close()
        os.close(self._wake_reader)
        os.close(self._wake_writer)

    # -- how it is; from any thread

    def status(self) -> dict[str, Any]:
        """Prefixes that are wanted, and routes that are in place."""
        return {"wanted": self._plan.wanted, "in_place": self._in_place}

    def upkeep(self) -> dict[str, int]:
        """How many things that somebody took were put back, and how many cannot be kept."""
        return {"put_back": self._upkeep.put_back, "not_kept": len(self._upkeep.problems)}

    @property
    def problems(self) -> list[tuple[str, float]]:
        """What is not as it is wanted, and since when (seconds since the epoch)."""
        wall = time.time() - time.monotonic()
        found = [(text, wall + since) for text, since in list(self._since.items())]
        return [*found, *self._words.problem(self._upkeep.problems)]

    # -- in the thread

    def check(self) -> None:
        """Compare and mend."""
        with self._lock:
            now, done = time.monotonic(), self._done
            self._dirty = None
            try:
                self._mend(now)
                self._failed = None
            except OSError as error:
                text = f"the routes to {self._name} cannot be looked after: {error.strerror}"
                if error.errno not in _NOBODY and text != self._failed:
                    log.error("%s", text)
                self._failed = text
                self._dirty = now + _FAILED_S
            self._checked()
            done.set()

    def _mend(self, now: float) -> None:
        present = self._view.read()
        plan = self._planner(present, self._view.index)
        self._tell_plan(plan, now)
        self._plan = plan
        self._memory.restore(set_arp, plan.settings)
        present.things.update(one for one in plan.settings if _is_in_force(one))
        present.things |= self._connected(present)
        wanted = self._fixed | set(plan.rules) | set(plan.settings)
        wanted.update(plan.routes)
        wanted.update(plan.beside)
        missing = self._upkeep.missing(wanted, present.things, now)
        self._words.missing(missing)
        refused = self._add(missing.due, now)
        self._remove(present, wanted)
        put = {thing for thing in missing.due if thing not in refused}
        held = sum(thing in plan.routes and thing not in put for thing in missing.gone)
        self._in_place = len(plan.routes) - held
        self._words.settled(self._upkeep.settled(now))

    def _connected(self, present: Present) -> set[Thing]:
        index = self._view.index
        found = {o.prefix for o in present.others if o.connected and o.interface == index}
        return {one for one in self._fixed if isinstance(one, Connected) and one.prefix in found}

    def _add(self, due: Collection[Thing], now: float) -> dict[Thing, int]:
        """What was refused, with the error number."""
        self._memory.note(thing for thing in due if isinstance(thing, ArpSetting))
        requests = additions(due, self._view.index, self._protocol)
        by_request = {request[16:]: thing for thing, request in requests}
        refused = {
            by_request[body]: code
            for _, body, code in self._view.carry_out([request for _, request in requests])
        }
        if any(isinstance(thing, (Up, Address)) for thing in due):
            refused = {t: code for t, code in refused.items() if not _came_along(t, code)}
        self._upkeep.placed((thing for thing in due if thing not in refused), now)
        told = self._upkeep.refused(refused, now)
        for code in {refused[thing] for thing in told}:
            those = [thing for thing in told if refused[thing] == code]
            log.error("cannot add %s of %s: %s", describe(those), self._name, os.strerror(code))
        return refused

    def _remove(self, present: Present, wanted: Collection[Thing]) -> None:
        stale = [thing for thing in present.things if thing not in wanted]
        self._view.carry_out(removals(stale, self._protocol))

    def _tell_plan(self, plan: Plan, now: float) -> None:
        for text in (*plan.left_out, *plan.warnings):
            if text not in self._plan.left_out and text not in self._plan.warnings:
                log.warning("%s", text)
        self._since = {text: self._since.get(text, now) for text in plan.left_out}

    def _run(self) -> None:
        poller = select.poll()
        poller.register(self._view.fileno(), select.POLLIN)
        poller.register(self._wake_reader, select.POLLIN)
        while not self._ending:
            woken = {fd for fd, _ in poller.poll(self._patience_ms())}
            if self._wake_reader in woken:
                os.read(self._wake_reader, 4096)
                self._dirty = time.monotonic()
            if self._view.fileno() in woken and self._view.changed(self._plan):
                self._dirty = self._dirty or time.monotonic() + _SETTLE_S
            now = time.monotonic()
            if self._plan.settings and now >= self._look_at:
                self._look_at = now + _INTERVAL_S
                if not all(map(_is_in_force, self._plan.settings)):
                    self._dirty = self._dirty or now
            if not self._ending and self._due() <= time.monotonic():
                self.check()

    def _due(self) -> float:
        """When to compare."""
        times = (self._dirty, None if self._failed is not None else self._upkeep.next_due())
        return min((at for at in times if at is not None), default=math.inf)

    def _patience_ms(self) -> float | None:
        """Until there is something to do; None for as long as nothing happens."""
        at = min(self._due(), self._look_at if self._plan.settings else math.inf)
        return None if at == math.inf else max(0.0, at - time.monotonic()) * 1000

    def _wake(self) -> None:
        os.write(self._wake_writer, b"x")


def _came_along(thing: Thing, code: int) -> bool:
    """Whether the kernel has made it by itself, with the interface or its address."""
    return isinstance(thing, Connected) and code == errno.EEXIST


def _is_in_force(setting: ArpSetting) -> bool:
    return in_force(setting.interface, setting.key) >= setting.least
