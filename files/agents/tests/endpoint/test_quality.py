from __future__ import annotations

import pytest

from nrs.endpoint.quality import Counts, Measure, Quality

FIBRE = Measure(0.0, 0.010)
SATELLITE = Measure(0.0, 0.600)


class Path:
    """A path that is probed, with traffic, loss and delay as told, beside other ones."""

    def __init__(self, *others: Measure) -> None:
        self.quality = Quality()
        self.others = others
        self.now = 1000.0
        self._sent = [0.0, 0.0]
        self._arrived = [0.0, 0.0]

    def run(
        self,
        seconds: float,
        *,
        up: float = 0.0,
        down: float = 0.0,
        srtt: float = 0.01,
        rate: float = 100.0,
        down_rate: float | None = None,
    ) -> Path:
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.now += 0.1
            rates = (rate, rate if down_rate is None else down_rate)
            for way, (each, loss) in enumerate(zip(rates, (up, down), strict=True)):
                self._sent[way] += each * 0.1
                self._arrived[way] += each * 0.1 * (1 - loss)
            counts = Counts(
                int(self._sent[0]), int(self._arrived[0]), int(self._sent[1]), int(self._arrived[1])
            )
            self.quality.observe(counts, srtt, self.now, self.others)
        return self

    @property
    def degraded(self) -> bool:
        return self.quality.degraded

    @property
    def measure(self) -> Measure:
        return self.quality.measure(0.01, self.now)


def test_a_good_path_is_not_degraded() -> None:
    path = Path(FIBRE).run(60.0)
    assert not path.degraded
    assert path.quality.loss == 0.0


def test_loss_either_way_that_stays_is_degradation() -> None:
    for loss in ({"up": 0.08}, {"down": 0.08}):
        path = Path(FIBRE).run(5.0).run(2.5, **loss)
        assert not path.degraded
        path.run(2.0, **loss)
        assert path.degraded
        assert path.quality.loss is not None
        assert 0.06 < path.quality.loss < 0.1


def test_a_burst_of_loss_is_not() -> None:
    path = Path(FIBRE).run(5.0)
    for _ in range(10):
        assert not path.run(1.0, up=0.5).run(3.0).degraded


def test_delay_that_stays_is_degradation_even_without_traffic() -> None:
    path = Path(FIBRE).run(10.0)
    assert path.run(40.0, srtt=0.4, rate=0.5).degraded


@pytest.mark.parametrize(
    "others",
    [
        [],
        [Measure()],
        [Measure(loss=0.0)],
        [Measure(delay=0.01)],
        [Measure(0.08, 0.01)],
        [SATELLITE],
        [Measure(0.2, 0.01), SATELLITE, Measure(delay=0.001)],
    ],
)
def test_loss_is_none_where_no_other_path_is_known_to_be_better(others: list[Measure]) -> None:
    """Nothing is known of them, they lose as much, or they are much slower."""
    assert not Path(*others).run(60.0, up=0.1).degraded


@pytest.mark.parametrize("others", [[], [SATELLITE], [Measure(delay=0.01)], [Measure(0.1, 0.01)]])
def test_a_satellite_is_not_degraded_beside_one_or_what_is_not_known(others: list[Measure]) -> None:
    path = Path(*others)
    assert not path.run(60.0, srtt=0.65).degraded
    assert not path.run(60.0, srtt=0.65, rate=0.5).degraded


def test_a_satellite_beside_a_fibre_is() -> None:
    assert Path(FIBRE).run(10.0, srtt=0.6).degraded
    assert Path(SATELLITE, FIBRE).run(10.0, srtt=0.6).degraded


def test_a_degraded_path_that_no_other_is_better_than_any_more_is_good_again() -> None:
    path = Path(FIBRE).run(10.0, srtt=0.6)
    assert path.degraded
    path.others = ()
    assert not path.run(12.0, srtt=0.6).degraded


def test_between_the_levels_nothing_changes() -> None:
    assert not Path(FIBRE).run(30.0, up=0.03).degraded
    assert not Path(FIBRE).run(30.0, srtt=0.25).degraded
    path = Path(FIBRE).run(10.0, up=0.2)
    assert path.degraded
    assert path.run(60.0, up=0.03).degraded
    assert path.run(60.0, srtt=0.25).degraded


def test_it_returns_after_good_windows_in_a_row() -> None:
    path = Path(FIBRE).run(10.0, up=0.2)
    assert path.run(8.0).degraded
    path.run(1.5, up=0.2)
    assert path.run(9.0).degraded
    assert not path.run(3.0).degraded


def test_few_datagrams_tell_no_loss() -> None:
    """One probe in ten seconds that is lost is no share of anything."""
    path = Path(FIBRE).run(100.0, up=0.5, rate=1.0)
    assert not path.degraded
    assert path.measure == Measure(None, 0.01)


def test_a_degraded_path_that_is_only_probed_recovers() -> None:
    path = Path(FIBRE).run(10.0, up=0.2)
    assert not path.run(60.0, rate=10.0).degraded


def test_a_way_without_datagrams_tells_nothing() -> None:
    path = Path(FIBRE).run(20.0, down_rate=0.0)
    assert not path.degraded
    assert path.measure.loss is None


def test_one_way_is_enough_to_be_degraded_but_not_to_be_better() -> None:
    path = Path(FIBRE).run(60.0, up=0.3, down_rate=0.0)
    assert path.degraded
    assert path.measure.loss is None


def test_what_was_measured_is_out_of_date_soon() -> None:
    path = Path(FIBRE).run(5.0, up=0.1)
    assert path.measure.loss == pytest.approx(0.1, abs=0.02)
    path.now += 3.1
    assert path.measure.loss is None


def test_another_session_is_counted_from_its_own_numbers() -> None:
    path = Path(FIBRE).run(10.0)
    path.quality.begin()
    path._sent, path._arrived = [0.0, 0.0], [0.0, 0.0]
    assert not path.run(10.0).degraded
    assert path.quality.loss == 0.0


@pytest.mark.parametrize(
    ("one", "other", "beats"),
    [
        (FIBRE, SATELLITE, True),
        (SATELLITE, FIBRE, False),
        (FIBRE, FIBRE, False),
        (SATELLITE, Measure(0.0, 0.7), False),
        (FIBRE, Measure(0.06, 0.01), True),
        (FIBRE, Measure(0.05, 0.01), False),
        (Measure(0.04, 0.2), Measure(0.10, 0.01), True),
        (SATELLITE, Measure(0.5, 0.01), False),
        (Measure(0.5, 0.01), SATELLITE, False),
        (Measure(None, 0.01), SATELLITE, False),
        (Measure(0.0, None), Measure(0.5, 0.01), False),
        (Measure(), Measure(), False),
        (FIBRE, Measure(None, 0.6), True),
        (FIBRE, Measure(0.2, None), True),
        (FIBRE, Measure(), False),
    ],
)
def test_who_is_better(one: Measure, other: Measure, beats: bool) -> None:
    assert one.beats(other) is beats
