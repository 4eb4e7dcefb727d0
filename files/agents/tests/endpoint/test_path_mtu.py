"""The search for what a path carries, on paths that delay, lose and change."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nrs.endpoint.path_mtu import BASE, LEAST, MOST, PathMtu, State

FAST = 0.0005
BUSY, IDLE = True, False


class Path:
    """A path of `up` and `down` bytes; what is due is done on time, answers come after `rtt`."""

    def __init__(
        self,
        up: int,
        down: int = MOST,
        *,
        rtt: float = FAST,
        loss: float = 0.0,
        interface: int = 65_536,
        seed: int = 1,
    ) -> None:
        self.up, self.down, self.rtt, self.loss = up, down, rtt, loss
        self.interface = interface
        """What is longer the host itself refuses."""
        self.now = 100.0
        self.search = PathMtu()
        self.sent = self.bytes = 0
        self.silent = False
        self._chance = random.Random(seed)  # noqa: S311 - chance that can be repeated
        self._answers: list[tuple[float, int, int]] = []
        self.busy = IDLE

    @property
    def patience(self) -> float:
        return 1.5 * self.rtt

    def serve(self) -> None:
        for number, size in self.search.due(self.now, self.patience, busy=self.busy):
            self.sent += 1
            self.bytes += size
            if size > self.interface:
                self.search.refused(number)
            elif not self.silent and size <= min(self.up, self.down) and not self._lost():
                heapq.heappush(self._answers, (self.now + self.rtt, number, size))

    def _lost(self) -> bool:
        return any(self._chance.random() < self.loss for _ in range(2))

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> float:
        """Time passes; how much until something was so, infinity where it never was."""
        began = self.now
        self.serve()
        while not until():
            due = self.search.next_due(self.now, self.patience, busy=self.busy)
            answer = self._answers[0][0] if self._answers else math.inf
            self.now = max(self.now, min(due, answer))
            if self.now >= began + seconds:
                self.now = began + seconds
                return math.inf
            while self._answers and self._answers[0][0] <= self.now:
                _, number, size = heapq.heappop(self._answers)
                self.search.answered(number, size, self.now)
            self.serve()
        return self.now - began

    def knows(self, size: int) -> Callable[[], bool]:
        return lambda: (self.search.size, self.search.state) == (size, State.COMPLETE)


def allowed(rtt: float) -> float:
    return max(1.0, 5 * rtt)


def test_it_begins_with_what_is_safe() -> None:
    search = PathMtu()
    assert (search.size, search.state, search.settled(0.0)) == (1280, State.BASE, False)


@given(
    size=st.integers(BASE, MOST),
    other=st.integers(BASE, MOST),
    rtt=st.sampled_from([0.0, FAST, 0.02, 0.1, 0.3, 0.6]),
)
@settings(max_examples=200, deadline=None)
def test_the_size_of_a_path_is_that_of_its_worse_direction(
    size: int, other: int, rtt: float
) -> None:
    path = Path(size, other, rtt=rtt)
    assert path.run(60, path.knows(min(size, other))) < math.inf
    assert path.search.settled(path.now)


@pytest.mark.parametrize("rtt", [0.0, FAST, 0.05, 0.2, 0.3, 0.6])
@pytest.mark.parametrize("size", [1280, 1400, 1420, 1492, 1500, 1300, 1350, 1437, 9000, 8951])
def test_it_is_known_within_a_second_or_five_round_trips(size: int, rtt: float) -> None:
    path = Path(size, rtt=rtt)
    assert path.run(60, lambda: path.search.size == size) <= allowed(rtt)


@pytest.mark.parametrize("size", [1400, 1492, 1500])
def test_the_sizes_of_common_paths_are_known_after_one_round_trip(size: int) -> None:
    path = Path(size, rtt=0.1)
    assert path.run(1, lambda: path.search.size == size) == pytest.approx(0.1)


def test_what_the_host_refuses_itself_is_known_at_once() -> None:
    path = Path(MOST, interface=1500, rtt=0.1)
    assert path.run(1, path.knows(1500)) <= 0.12
    assert path.sent <= 20


def test_an_idle_path_that_is_known_costs_nothing() -> None:
    path = Path(1492)
    path.run(2)
    assert path.search.state is State.COMPLETE
    sent = path.sent
    path.run(3600)
    assert path.sent == sent
    assert path.search.next_due(path.now, 0.02, busy=IDLE) == math.inf


def test_what_confirming_costs_while_traffic_flows() -> None:
    path = Path(1500)
    path.run(2)
    path.busy, path.bytes = BUSY, 0
    path.run(10)
    assert path.bytes / 10 <= 6.5 * 1501


@pytest.mark.parametrize("rtt", [FAST, 0.05, 0.2, 0.3])
@pytest.mark.parametrize(
    ("before", "after"),
    [(1500, 1400), (1400, 1500), (1500, 1492), (9000, 1500), (1500, 9000), (1492, 1280)],
)
def test_a_path_that_shrinks_or_grows_under_traffic(before: int, after: int, rtt: float) -> None:
    for moment in range(8):
        path = Path(before, rtt=rtt)
        path.busy = BUSY
        assert path.run(5, path.knows(before)) < math.inf
        path.run(1 + moment * 0.077)
        path.up = after
        assert path.run(60, lambda path=path: path.search.size == after) <= allowed(rtt)
        assert path.run(60, path.knows(after)) < math.inf


def test_one_that_has_shrunk_while_nothing_went_over_it_is_found_out_with_the_first_packets() -> (
    None
):
    path = Path(1500, rtt=0.05)
    path.run(2)
    path.up = 1400
    path.run(100)
    assert path.search.size == 1500
    path.busy = BUSY
    assert path.run(5, lambda: path.search.size == 1400) <= 0.3


def test_what_is_on_its_way_when_the_size_falls_is_not_refused() -> None:
    path = Path(1500)
    path.busy = BUSY
    path.run(2)
    assert path.search.settled(path.now)
    path.up = 1400
    path.run(2, path.knows(1400))
    fell = path.now
    assert not path.search.settled(fell)
    assert path.run(5, lambda: path.search.settled(path.now)) <= 1.0
    path.search.unsettle(path.now)
    assert not path.search.settled(path.now + 0.99)
    assert path.search.settled(path.now + 1.0)


@pytest.mark.parametrize("loss", [0.01, 0.05, 0.2])
def test_loss_is_no_shorter_path_for_long(loss: float) -> None:
    """Of a minute of traffic over a path that loses a share of datagrams each way."""
    wrong = 0.0
    for seed in range(10):
        path = Path(1500, rtt=0.02, loss=loss, seed=seed)
        path.busy = BUSY
        assert path.run(5, lambda path=path: path.search.size == 1500) <= 2.0
        end = path.now + 60
        while path.now < end:
            path.run(end - path.now, lambda path=path: path.search.size != 1500)
            assert path.search.size in range(BASE, 1501)
            began = path.now
            path.run(end - path.now, lambda path=path: path.search.size == 1500)
            wrong += path.now - began
    assert wrong / 600 <= (0.001 if loss < 0.1 else 0.03)


def test_a_path_that_carries_less_than_the_base() -> None:
    path = Path(600)
    assert path.run(5, lambda: path.search.state is State.ERROR) <= 0.5
    assert path.search.size == LEAST
    assert path.search.settled(path.now)
    path.run(1)
    sent = path.sent
    path.run(100)
    assert path.sent == sent, "it is idle"
    path.busy = BUSY
    path.up = 1400
    assert path.run(5, lambda: path.search.size == 1400) <= 1.1


def test_one_that_falls_below_the_base() -> None:
    path = Path(1400)
    path.busy = BUSY
    path.run(2)
    path.up = 1000
    assert path.run(5, lambda: path.search.state is State.ERROR) <= 1.0


def test_a_path_that_is_silent_says_nothing_of_its_size() -> None:
    path = Path(1492, rtt=0.02)
    path.busy = BUSY
    path.run(2)
    path.silent = True
    path.run(0.3)
    assert path.search.size == 1492
    path.search.interrupt()
    path.silent = False
    path.run(1)
    assert (path.search.size, path.search.state) == (1492, State.COMPLETE)


def test_another_path_is_searched_anew() -> None:
    path = Path(1500)
    path.run(2)
    path.search.restart()
    assert (path.search.size, path.search.state) == (1280, State.BASE)
    path.up = 1400
    assert path.run(2, path.knows(1400)) <= 0.2


def test_answers_that_nobody_asked_for() -> None:
    search = PathMtu()
    probes = search.due(0.0, 1.0, busy=IDLE)
    search.answered(probes[-1].number + 1, 9000, 0.1)
    search.answered(probes[0].number, 9000, 0.1)  # it was 1280
    assert (search.size, search.state) == (1280, State.BASE)
    search.refused(probes[-1].number + 1)
    search.answered(probes[0].number, 1280, 0.1)
    search.answered(probes[0].number, 1280, 0.1)
    assert search.state is State.SEARCH


def test_an_endpoint_that_was_held_up_first_reads_what_has_come() -> None:
    path = Path(1500)
    path.busy = BUSY
    path.run(2)
    search = path.search
    (probe,) = [p for p in _next_round(path) if p.size == 1500]
    late = path.now + 5.0
    assert search.due(late, 0.02, busy=BUSY) == []
    search.answered(probe.number, 1500, late)
    assert all(p.size >= 1500 for p in search.due(late + 0.02, 0.02, busy=BUSY))


def _next_round(path: Path) -> list[object]:
    while True:
        path.now += 0.001
        if probes := path.search.due(path.now, 0.02, busy=BUSY):
            return list(probes)
