"""The packet loop: descriptors, timers and wake-ups in one thread, and how late it runs."""

from __future__ import annotations

import heapq
import itertools
import os
import select
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from nrs.tunnel.processor_wait import ProcessorWait

Callback = Callable[[], object]

_EXACT_S = 0.001
"""Of turns that take longer, the time that they waited for a processor is known, to this much."""


class Timer:
    """A callback at a time; `cancel` forgets it."""

    __slots__ = ("callback", "when")

    def __init__(self, when: float, callback: Callback) -> None:
        self.when = when
        self.callback: Callback | None = callback

    def cancel(self) -> None:
        """Do nothing when the time comes."""
        self.callback = None


class PacketLoop:
    """epoll with timers. Callbacks must not block; only `wake` may be called by other threads."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        waited: Callable[[], float] | None = None,
    ) -> None:
        """Of the thread that makes it; `waited` is how long that has waited for a processor."""
        self.clock = clock
        self.now = clock()
        """The clock when the present turn began: close enough for whoever asks at every packet."""
        self.longest_turn_s = 0.0
        """Without the time that its thread waited for a processor."""
        self.longest_wait_s = 0.0
        """The longest such wait within a turn."""
        self._kernel = ProcessorWait()
        self.waited = waited or self._kernel.read
        """How long the thread has waited for a processor so far, in seconds."""
        self._sampled_s = self.waited()
        self._sampled_at = self.now
        self._epoll = select.epoll()
        self._readers: dict[int, Callback] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._woken: deque[Callback] = deque()
        self._wake_reader, self._wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._running = True
        self.add_reader(self._wake_reader, self._on_wake)

    def add_reader(self, fd: int, callback: Callback) -> None:
        """Call `callback` while `fd` is readable."""
        self._readers[fd] = callback
        self._epoll.register(fd, select.EPOLLIN)

    def remove_reader(self, fd: int) -> None:
        """Forget `fd`, which must still be open."""
        if self._readers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def call_at(self, when: float, callback: Callback) -> Timer:
        """Call `callback` once the clock reaches `when` seconds."""
        timer = Timer(when, callback)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def call_later(self, delay: float, callback: Callback) -> Timer:
        """Call `callback` in `delay` seconds."""
        return self.call_at(self.clock() + delay, callback)

    def wake(self, callback: Callback) -> None:
        """Run `callback` in the loop's thread. Safe in threads and signal handlers."""
        self._woken.append(callback)
        with suppress(BlockingIOError):  # the pipe is full of wake-ups already
            os.write(self._wake_writer, b"x")

    def stop(self) -> None:
        """Let `run` return after the present turn."""
        self._running = False

    def run(self) -> None:
        """Serve until `stop`."""
        while self._running:
            self.turn()

    def turn(self) -> None:
        """Wait for the next event or timer and serve all that are due."""
        readers = self._readers
        events = self._epoll.poll(self._wait())
        began = self.now = self.clock()
        if began - self._sampled_at > _EXACT_S:
            self._sample(began)
        for fd, _ in events:
            reader = readers.get(fd)
            if reader is not None:
                reader()
        if events:
            self.now = self.clock()
        while self._timers and self._timers[0][0] <= self.now:
            callback = heapq.heappop(self._timers)[2].callback
            if callback is not None:
                callback()
        self._account(began)

    def look(self) -> None:
        """Look at the clock again in the middle of a turn."""
        self.now = self.clock()

    def _account(self, began: float) -> None:
        """Asking the kernel costs 2 us, so it is asked once a millisecond, and after a long turn.

        A turn may be taken for up to `_EXACT_S` shorter than it was: by what the thread waited
        between the last sample and its beginning. The wait in a shorter one counts as its work.
        """
        ended = self.clock()
        took = ended - began
        if took > _EXACT_S:
            before = self._sampled_s
            self._sample(ended)
            wait = min(self._sampled_s - before, took)
            self.longest_wait_s = max(self.longest_wait_s, wait)
            took -= wait
        self.longest_turn_s = max(self.longest_turn_s, took)

    def _sample(self, now: float) -> None:
        self._sampled_at, self._sampled_s = now, self.waited()

    def _wait(self) -> float:
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return -1
        return max(0.0, self._timers[0][0] - self.clock())

    def _on_wake(self) -> None:
        try:
            os.read(self._wake_reader, 4096)
        except BlockingIOError:
            return
        while self._woken:
            self._woken.popleft()()

    def close(self) -> None:
        """Release the loop's own descriptors."""
        self._kernel.close()
        self._epoll.close()
        os.close(self._wake_reader)
        os.close(self._wake_writer)
