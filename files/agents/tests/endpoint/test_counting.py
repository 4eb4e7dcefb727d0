from __future__ import annotations

from nrs.endpoint.counting import Counting
from nrs.endpoint.quality import Counts
from nrs.tunnel.wire import ProbeAck


def answered(
    counting: Counting, number: int, up: tuple[int, int], down: tuple[int, int], paths: int = 0
) -> Counts | None:
    """By highest sequence number and datagrams received, each way."""
    return counting.answered(number, ProbeAck(0, *up, up[0], paths), *down)


def test_path_probes_and_their_answers_are_taken_off() -> None:
    counting = Counting()
    counting.path_probe_sent()
    counting.path_probe_sent()
    counting.probe_sent(1, trial=False)
    counting.path_ack_came()
    assert answered(counting, 1, (12, 11), (6, 5), 1) == Counts(10, 10, 5, 4)


def test_what_passes_while_a_trial_is_under_way_is_left_out() -> None:
    counting = Counting()
    counting.probe_sent(1, trial=False)
    counting.trial_sent()
    for number in (2, 3):
        counting.probe_sent(number, trial=True)
    counting.probe_sent(4, trial=False)
    counting.probe_sent(5, trial=False)
    assert answered(counting, 1, (10, 10), (5, 5)) == Counts(10, 10, 5, 5)
    assert answered(counting, 2, (29, 19), (6, 6)) is None
    assert answered(counting, 4, (31, 20), (40, 30)) == Counts(10, 10, 5, 5)
    assert answered(counting, 3, (30, 19), (41, 31)) is None, "overtaken"
    assert answered(counting, 5, (51, 38), (61, 51)) == Counts(30, 28, 26, 26)


def test_two_trials_without_an_answer_between_them_are_left_out_too() -> None:
    counting = Counting()
    for number, trials in enumerate((1, 2, 0), 1):
        counting.probe_sent(number, trial=False)
        for _ in range(trials):
            counting.trial_sent()
    assert answered(counting, 1, (10, 10), (5, 5)) == Counts(10, 10, 5, 5)
    assert answered(counting, 3, (80, 50), (70, 40)) == Counts(10, 10, 5, 5)
    counting.restart()
    counting.probe_sent(7, trial=False)
    assert answered(counting, 7, (3, 3), (2, 2)) == Counts(3, 3, 2, 2)
