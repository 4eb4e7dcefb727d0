from __future__ import annotations

import itertools
import random

import pytest

from nrs.endpoint.liveness import Action, Liveness, State, Timing

T0 = 1000.0
MS = 0.001


class Simulation:
    """A tunnel's liveness driven by its own `next_due`, over a path with a round trip time.

    Time is counted in the events themselves, so nothing here sleeps.
    """

    def __init__(self, rtt: float = 0.004, timing: Timing | None = None) -> None:
        self.live = Liveness(timing or Timing(), T0)
        self.now = T0
        self.rtt: float | None = rtt
        self.sent: list[tuple[float, Action]] = []
        self.states: list[tuple[float, State]] = []
        self._answers: list[tuple[float, int, float]] = []

    def open(self) -> Simulation:
        self.live.session_opened(self.now)
        return self

    def run(self, seconds: float, *, busy: bool = False) -> Simulation:
        end = self.now + seconds
        while True:
            answer = min(self._answers, default=None)
            when = max(self.now, self.live.next_due(busy))
            if answer is not None and answer[0] <= when:
                when = answer[0]
            if when > end:
                self.now = end
                return self
            self.now = when
            if answer is not None and answer[0] == when:
                self._answers.remove(answer)
                self.live.probe_answered(answer[1], answer[2], when)
            else:
                actions = self.live.due(when, busy)
                assert actions or self.live.state is not State.UP, "woken for nothing"
                for action in actions:
                    self.sent.append((when, action))
                    if action is Action.PROBE and self.rtt is not None:
                        self._answers.append((when + self.rtt, self.live.probe_number, self.rtt))
            if not self.states or self.states[-1][1] is not self.live.state:
                self.states.append((when, self.live.state))

    def times(self, action: Action, since: float = 0.0) -> list[float]:
        return [when - T0 for when, sent in self.sent if sent is action and when >= since]


def gaps(times: list[float]) -> list[float]:
    return [round(b - a, 6) for a, b in itertools.pairwise(times)]


def test_the_defaults_are_what_the_protocol_says() -> None:
    timing = Timing()
    assert (timing.keepalive, timing.dead, timing.unanswered) == (10.0, 30.0, 3)
    assert (timing.probe, timing.least_limit) == (0.010, 0.040)


def test_hellos_begin_at_once_and_back_off() -> None:
    path = Simulation(rtt=0.004).run(20.0)
    assert path.live.state is State.CONNECTING
    assert path.times(Action.HELLO)[:6] == pytest.approx([0.0, 0.25, 0.75, 1.75, 3.75, 5.75])
    assert set(gaps(path.times(Action.HELLO)[4:])) == {2.0}
    assert not path.times(Action.PROBE)


def test_a_session_is_up_and_probed_at_once() -> None:
    path = Simulation().run(0.1).open()
    opened = path.now
    assert path.live.state is State.UP
    assert path.live.since == opened
    assert path.live.due(opened, busy=False) == [Action.PROBE]


def test_idle_keepalive_every_10_s() -> None:
    path = Simulation().open().run(65.0)
    assert path.times(Action.PROBE) == pytest.approx([0, 10, 20, 30, 40, 50, 60])
    assert path.live.state is State.UP
    assert not path.times(Action.HELLO)


def test_keepalive_as_configured() -> None:
    path = Simulation(timing=Timing(keepalive=1.0, dead=3.0)).open().run(5.5)
    assert path.times(Action.PROBE) == pytest.approx([0, 1, 2, 3, 4, 5])


def test_another_timing_counts_from_the_last_probe_on() -> None:
    path = Simulation().open().run(1.0)
    path.live.retime(Timing(keepalive=2.0, dead=6.0))
    path.run(6.0)
    assert path.times(Action.PROBE) == pytest.approx([0, 2, 4, 6])
    path.rtt = None
    path.run(7.0)
    assert path.live.state is State.DOWN


def test_a_busy_tunnel_is_probed_every_10_ms() -> None:
    path = Simulation().open().run(1.0, busy=True)
    assert set(gaps(path.times(Action.PROBE))) == {0.01}
    assert len(path.times(Action.PROBE)) in {100, 101}
    assert path.live.state is State.UP


def test_a_busy_tunnel_that_goes_silent_is_suspect_after_the_limit() -> None:
    path = Simulation(rtt=0.004).open().run(1.0, busy=True)
    path.rtt = None
    cut = path.now
    path.run(0.3, busy=True)
    assert path.live.state is State.SUSPECT
    assert path.live.failures == 1
    assert 0.030 - MS <= path.live.since - cut <= 0.044 + MS


def test_an_idle_tunnel_that_goes_silent_is_suspect_after_three_keepalives_retried_soon() -> None:
    path = Simulation().open().run(5.0)
    path.rtt = None
    path.run(6.0)
    assert path.live.state is State.SUSPECT
    round_trip = path.live.round_trip
    assert path.live.since - T0 == pytest.approx(10.4 + round_trip)
    assert path.times(Action.PROBE, T0 + 9)[:3] == pytest.approx([10.0, 10.2, 10.4])


@pytest.mark.parametrize("unanswered", [1, 2])
def test_fewer_than_three_unanswered_probes_prove_nothing(unanswered: int) -> None:
    live = Liveness(Timing(keepalive=1000.0, idle_retry=1000.0), T0)
    live.session_opened(T0)
    for number in range(unanswered):
        assert live.due(T0 + number * 10 * MS, busy=True) == [Action.PROBE]
    assert live.due(T0 + 500.0, busy=False) == []
    assert live.state is State.UP


def test_without_evidence_of_life_for_the_limit_it_is_suspect() -> None:
    live = Liveness(Timing(), T0)
    live.session_opened(T0)
    for n in range(4):
        assert live.due(T0 + n * 10 * MS, busy=True) == [Action.PROBE]
        if n == 0:
            live.probe_answered(1, MS, T0 + 2 * MS)
    live.due(T0 + 41 * MS, busy=True)
    assert live.state is State.UP
    assert live.next_due(busy=True) == pytest.approx(T0 + 42 * MS)
    live.due(T0 + 42 * MS, busy=True)
    assert live.state is State.SUSPECT


def test_the_third_probe_has_its_round_trip_too() -> None:
    """An idle tunnel that becomes busy: the first probe out after a long silence."""
    path = Simulation(rtt=0.035).open().run(45.0)
    assert path.live.limit < 0.060
    path.rtt = None
    cut = path.now
    path.run(0.3, busy=True)
    assert path.live.since - cut == pytest.approx(0.020 + path.live.round_trip)


def test_becoming_busy_on_a_path_as_long_as_the_limit_is_no_failure() -> None:
    path = Simulation(rtt=0.039).open().run(300.0).run(5.0, busy=True)
    assert path.live.failures == 0


def test_an_endpoint_that_was_held_up_reads_before_it_judges() -> None:
    path = Simulation(rtt=0.004).open().run(1.0, busy=True)
    live = path.live
    for n in range(1, 4):
        assert live.due(path.now + n * 10 * MS, busy=True)
    back = path.now + 150 * MS
    live.due(back, busy=True)
    assert live.state is State.UP
    assert live.next_due(busy=True) <= back + 10 * MS
    live.due(back + 10 * MS, busy=True)
    assert live.state is State.SUSPECT


def test_being_held_up_again_and_again_is_no_excuse_for_ever() -> None:
    live = Simulation(rtt=0.004).open().run(1.0, busy=True).live
    since = T0 + 1.0
    for n in range(1, 20):
        live.due(since + n * 35 * MS, busy=True)
    assert live.state is State.SUSPECT


def test_a_router_that_restarts_may_be_silent_for_a_while() -> None:
    path = Simulation(rtt=0.004).open().run(1.0, busy=True)
    path.live.pauses(path.now)
    path.run(0.02, busy=True)  # it still answers
    path.rtt = None
    path.run(2.9, busy=True)
    assert path.live.state is State.UP
    path.run(0.2, busy=True)
    assert path.live.state is State.SUSPECT


def test_a_router_that_is_back_from_its_restart_is_judged_as_before() -> None:
    path = Simulation(rtt=0.004).open().run(1.0, busy=True)
    path.live.pauses(path.now)
    path.rtt = None
    path.run(0.5, busy=True)
    path.rtt = 0.004
    path.run(0.1, busy=True)
    path.rtt = None
    cut = path.now
    path.run(0.2, busy=True)
    assert path.live.state is State.SUSPECT
    assert path.live.since - cut <= path.live.limit + 10 * MS


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([], 1.0),
        ([0.004], 0.040),
        ([0.200], 0.200 + 4 * 0.100),
        ([0.080], 0.080 + 4 * 0.040),
        ([0.200, 0.200], 0.200 + 4 * 0.100 * 15 / 16),
        ([0.100, 0.300], 0.125 + 4 * (0.75 * 0.050 + 0.25 * 0.200)),
    ],
)
def test_the_limit_is_srtt_and_four_rttvar(samples: list[float], expected: float) -> None:
    """RFC 6298 section 2, with alpha 1/8 and beta 1/4, or less on the way down."""
    live = Liveness(Timing(), T0)
    live.session_opened(T0)
    for number, sample in enumerate(samples):
        live.probe_answered(1, sample, T0 + 1.0 + number * 0.04)
    assert live.limit == pytest.approx(expected)


def answer_what_waited(path: Simulation, since: float) -> None:
    """A router that is back finds the PROBEs in its socket."""
    waited = [when for when, sent in path.sent if sent is Action.PROBE and when >= since]
    last = path.live.probe_number
    for number, when in enumerate(waited, last - len(waited) + 1):
        path.now += 0.1 * MS
        path.live.probe_answered(number, path.now - when, path.now)
    path.rtt = 0.004


@pytest.mark.parametrize("announced", [False, True])
def test_answers_that_waited_for_a_restart_do_not_count_as_a_long_path(announced: bool) -> None:
    path = Simulation(rtt=0.004).open().run(1.0, busy=True)
    if announced:
        path.live.pauses(path.now)
    path.rtt, gone = None, path.now
    path.run(0.8, busy=True)
    answer_what_waited(path, gone)
    assert path.live.state is State.UP
    path.run(0.1, busy=True)
    assert path.live.srtt == pytest.approx(0.004)
    assert path.live.limit == Timing().least_limit


def test_answers_to_an_earlier_process_do_not_count_as_a_long_path() -> None:
    live = Liveness(Timing(), T0)
    live.session_opened(T0)
    live.probe_answered(7, 0.9, T0 + 1 * MS)
    assert live.srtt is None
    live.probe_answered(1, 0.004, T0 + 5 * MS)
    assert live.srtt == pytest.approx(0.004)


def test_a_spike_is_learnt() -> None:
    """Or else the next one would pass for a failure as well."""
    path = Simulation(rtt=0.004).open().run(1.0, busy=True)
    path.rtt = 0.090
    path.run(0.12, busy=True)
    assert (path.live.state, path.live.failures) == (State.UP, 1)
    assert path.live.limit > 0.090


def test_a_path_that_becomes_longer_is_learnt() -> None:
    path = Simulation(rtt=0.004).open().run(1.0, busy=True)
    path.rtt = 0.200
    path.run(2.0, busy=True)
    failures = path.live.failures
    assert path.live.srtt == pytest.approx(0.200, rel=0.1)
    path.run(2.0, busy=True)
    assert (path.live.state, path.live.failures) == (State.UP, failures)


@pytest.mark.parametrize("rtt", [0.080, 0.600])
def test_a_long_path_has_time_for_its_first_answer(rtt: float) -> None:
    """Under traffic at once, as after a restart of the endpoint."""
    path = Simulation(rtt=rtt).open().run(3.0, busy=True)
    assert path.live.failures == 0
    path.rtt = None
    path.run(rtt + 4 * rtt / 2 + 0.1, busy=True)
    assert path.live.state is State.SUSPECT


def test_a_path_that_never_answers_is_suspect_after_a_second() -> None:
    path = Simulation()
    path.rtt = None
    path.open().run(0.95, busy=True)
    assert path.live.state is State.UP
    path.run(0.1, busy=True)
    assert path.live.state is State.SUSPECT


def test_a_long_path_is_not_suspected_for_being_long() -> None:
    path = Simulation(rtt=0.180).open().run(2.0)
    path.run(20.0, busy=True)
    assert path.live.failures == 0
    assert {state for _, state in path.states} == {State.UP}


def test_a_jittery_path_is_not_suspected() -> None:
    chance = random.Random(1)  # noqa: S311
    path = Simulation(rtt=0.050).open().run(1.0, busy=True)
    for _ in range(300):
        path.rtt = chance.uniform(0.020, 0.080)
        path.run(0.1, busy=True)
    assert path.live.failures == 0


def test_losing_three_of_four_probes_is_not_death() -> None:
    path = Simulation(rtt=0.004).open().run(1.0, busy=True)
    for _ in range(50):
        path.rtt = None
        path.run(0.028, busy=True)
        path.rtt = 0.004
        path.run(0.012, busy=True)
    assert path.live.failures == 0


def test_suspect_is_probed_often_even_when_idle_and_says_hello_after_a_moment() -> None:
    path = Simulation().open().run(1.0, busy=True)
    path.rtt = None
    path.run(0.2, busy=True)
    suspect = path.live.since
    assert path.live.state is State.SUSPECT
    idle = path.now
    path.run(3.0)
    assert set(gaps(path.times(Action.PROBE, idle)[1:])) == {0.05}
    hellos = [t + T0 - suspect for t in path.times(Action.HELLO, suspect)]
    assert hellos == pytest.approx([0.3, 0.55, 1.05, 2.05])


def test_under_traffic_a_suspect_tunnel_is_probed_as_before_for_a_moment() -> None:
    """While the other tunnel has not answered either, the first to answer wins."""
    path = Simulation().open().run(1.0, busy=True)
    path.rtt = None
    path.run(3.0, busy=True)
    times = path.times(Action.PROBE, path.live.since)
    soon = [t for t in times if t + T0 < path.live.since + 0.3]
    assert set(gaps(soon)) == {0.01}
    assert set(gaps([t for t in times if t + T0 > path.live.since + 0.4])) == {0.05}


def test_an_answer_brings_a_suspect_tunnel_back() -> None:
    path = Simulation().open().run(1.0, busy=True)
    path.rtt = None
    path.run(2.0, busy=True)
    assert path.live.state is State.SUSPECT
    path.rtt = 0.004
    back = path.now
    path.run(0.06, busy=True)
    assert path.live.state is State.UP
    assert back < path.live.since <= back + 0.055
    path.run(5.0, busy=True)
    assert path.live.state is State.UP
    assert path.live.failures == 1
    assert path.times(Action.HELLO, back + 0.06) == []


def test_a_burst_of_late_answers_is_one_failure_not_many() -> None:
    """A queue on the way holds everything for 300 ms, then lets it all go at once."""
    path = Simulation(rtt=0.002).open().run(1.0, busy=True)
    stalled = path.now
    live = path.live
    path.rtt = None
    path.run(0.300, busy=True)
    numbers = list(range(live.probe_number - 20, live.probe_number + 1))
    assert live.state is State.SUSPECT
    path.rtt = 0.002
    for number in numbers:
        live.probe_answered(number, 0.2, path.now)
        live.due(path.now, busy=True)
    path.run(1.0, busy=True)
    assert live.failures == 1
    assert live.state is State.UP
    assert live.since > stalled


def test_down_after_30_s_without_an_answer() -> None:
    path = Simulation().open().run(1.0, busy=True)
    path.rtt = None
    answered = path.now
    path.run(29.9)
    assert path.live.state is State.SUSPECT
    path.run(0.2)
    assert path.live.state is State.DOWN
    assert path.live.since - answered == pytest.approx(30.0, abs=0.06)
    count = len(path.times(Action.PROBE))
    path.run(20.0)
    assert len(path.times(Action.PROBE)) == count
    assert set(gaps(path.times(Action.HELLO, path.now - 15))) == {2.0}


def test_an_idle_tunnel_is_down_30_s_after_its_last_answer() -> None:
    path = Simulation().open().run(5.0)
    path.rtt = None
    path.run(30.0)
    assert path.live.state is State.DOWN
    assert path.live.since - T0 == pytest.approx(30.0, abs=0.06)


def test_a_late_answer_does_not_raise_the_dead() -> None:
    path = Simulation().open().run(1.0)
    path.rtt = None
    path.run(50.0)
    assert path.live.state is State.DOWN
    path.live.probe_answered(path.live.probe_number, 0.004, path.now)
    assert path.live.state is State.DOWN
    path.open()
    assert path.live.state is State.UP
    assert path.live.failures == 1


@pytest.mark.parametrize("silence", [2.0, 50.0])
def test_a_new_session_begins_with_a_clean_slate(silence: float) -> None:
    path = Simulation().open().run(1.0, busy=True)
    path.rtt = None
    path.run(silence, busy=True)
    path.rtt = 0.004
    path.open().run(1.0, busy=True)
    assert path.live.state is State.UP
    assert path.live.failures == 1


def test_bye_means_hello_at_once() -> None:
    path = Simulation().open().run(1.0, busy=True)
    path.live.session_lost(path.now)
    assert path.live.state is State.CONNECTING
    assert path.live.failures == 0
    lost = path.now
    path.run(2.0, busy=True)
    assert [t + T0 - lost for t in path.times(Action.HELLO)] == pytest.approx(
        [0.0, 0.25, 0.75, 1.75]
    )
    assert path.times(Action.PROBE, lost) == []


def test_the_backoff_starts_again_with_each_failure() -> None:
    path = Simulation().run(30.0).open()
    path.run(1.0, busy=True)
    path.rtt = None
    path.run(2.0, busy=True)
    suspect = path.live.since
    hellos = [t + T0 - suspect for t in path.times(Action.HELLO, suspect)]
    assert hellos == pytest.approx([0.3, 0.55, 1.05])


def test_answers_out_of_order() -> None:
    live = Liveness(Timing(), T0)
    live.session_opened(T0)
    for n in range(5):
        live.due(T0 + n * 10 * MS, busy=True)
    live.probe_answered(5, 0.01, T0 + 0.05)
    live.probe_answered(2, 0.03, T0 + 0.05)
    assert live.next_due(busy=False) == pytest.approx(T0 + 0.040 + 10.0)
    assert live.srtt == pytest.approx(0.875 * 0.01 + 0.125 * 0.03)


def test_an_answer_to_an_old_probe_leaves_the_newer_ones_outstanding() -> None:
    live = Liveness(Timing(), T0)
    live.session_opened(T0)
    for n in range(5):
        live.due(T0 + n * 10 * MS, busy=True)
    live.probe_answered(2, 0.01, T0 + 0.05)
    for n in range(5, 9):
        live.due(T0 + n * 10 * MS, busy=True)
    live.due(T0 + 0.089, busy=False)
    assert live.state is State.UP
    live.due(T0 + 0.091, busy=False)
    assert live.state is State.SUSPECT


def test_probe_numbers_wrap() -> None:
    path = Simulation().open()
    path.live._probe_number = 2**32 - 20
    path.run(1.0, busy=True)
    assert 0 < path.live.probe_number < 100
    assert path.live.failures == 0
    path.rtt = None
    path.live._probe_number = 2**32 - 3
    path.run(1.0, busy=True)
    assert path.live.state is State.SUSPECT


def test_minutes_without_answers_do_not_pile_up() -> None:
    path = Simulation(timing=Timing(dead=1e6)).open().run(0.5, busy=True)
    path.rtt = None
    path.run(300.0, busy=True)
    assert len(path.live._outstanding) <= 1024


def test_next_due_never_lies_behind_what_due_has_done() -> None:
    """Each call of `due` at the time asked for moves the time on: no busy loop."""
    for busy in (False, True):
        path = Simulation().open().run(1.0, busy=busy)
        path.rtt = None
        for _ in range(3000):
            when = max(path.now, path.live.next_due(busy))
            path.live.due(when, busy)
            if path.live.next_due(busy) <= when:  # the third probe may complete the evidence
                path.live.due(when, busy)
            assert path.live.next_due(busy) > when
            path.now = when


def silent_since(live: Liveness, since: float, probes: int = 9) -> None:
    """Probes every 10 ms that nobody answers."""
    for n in range(1, probes + 1):
        live.due(since + n * 10 * MS, busy=True)


def quiet_path() -> Simulation:
    path = Simulation(rtt=0.001).open().run(1.0, busy=True)
    assert path.live.limit == path.live.timing.least_limit
    return path


@pytest.mark.parametrize("waits", [0.0, 0.005, 0.02])
def test_what_the_endpoint_waited_for_a_processor_is_added_to_its_patience(waits: float) -> None:
    path = quiet_path()
    path.live.waited(waits)
    assert path.live.limit == pytest.approx(0.040 + waits)
    path.run(0.02, busy=True)
    assert path.live.limit == 0.040, "an answer has come since"


def test_waiting_while_nothing_is_asked_is_no_excuse() -> None:
    path = Simulation(rtt=0.001).open().run(5.0)
    path.live.waited(0.05)
    path.rtt = None
    path.run(0.001, busy=True)
    assert path.live.limit == 0.040


def test_no_wait_and_no_late_answer_makes_a_real_fault_a_long_one() -> None:
    live = quiet_path().live
    live.waited(5.0)
    assert live.limit == live.timing.patience == 0.090
    silent_since(live, T0 + 1.0, 12)
    assert live.state is State.SUSPECT


def test_answers_that_were_late_lengthen_the_patience_for_a_while() -> None:
    """The router, or the endpoint, waited for a processor: it will again."""
    path = quiet_path()
    usual = path.live.srtt or 0.0
    path.live.due(path.now + 10 * MS, busy=True)
    path.live.probe_answered(path.live.probe_number, usual + 0.030, path.now + 40 * MS)
    assert path.live.limit == pytest.approx(0.070, abs=MS)
    path.now += 41 * MS
    path.run(2.0, busy=True)
    assert path.live.limit == pytest.approx(0.040, abs=MS)


def test_an_answer_that_is_late_by_less_than_15_ms_changes_nothing() -> None:
    path = quiet_path()
    path.live.due(path.now + 10 * MS, busy=True)
    path.live.probe_answered(path.live.probe_number, 0.010, path.now + 20 * MS)
    assert path.live.limit == path.live.timing.least_limit


def test_a_lost_keepalive_is_not_a_late_one() -> None:
    path = Simulation(rtt=0.001).open().run(15.0)
    path.rtt = None
    path.run(5.1)
    path.rtt = 0.001
    path.run(20.0)
    assert path.live.state is State.UP
    assert path.live.limit == path.live.timing.least_limit


def test_nobody_is_suspected_while_there_is_more_to_read_but_not_for_ever() -> None:
    path = quiet_path()
    live, silent = path.live, path.live.last_answer
    for n in range(1, 5):
        live.due(path.now + n * 10 * MS, busy=True, judge=False)
    now = path.now + 45 * MS
    while live.condemned(now):
        assert live.state is State.UP, "nobody has judged"
        live.unread(now)
        if live.condemned(now):
            break
        live.due(now, busy=True)
        now += MS
    assert live.state is State.UP
    assert now - silent == pytest.approx(2 * live.limit, abs=2 * MS)
    live.due(now, busy=True)
    assert live.state is State.SUSPECT
