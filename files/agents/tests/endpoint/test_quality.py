from __future__ import annotations

from nrs.endpoint.quality import Counts, Quality, Thresholds

LIMITS = Thresholds()


class Path:
    """A path that is probed, with traffic, loss and delay as told."""

    def __init__(self) -> None:
        self.quality = Quality()
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
            self.quality.observe(counts, srtt, self.now)
        return self

    @property
    def degraded(self) -> bool:
        return self.quality.degraded


def test_a_good_path_is_not_degraded() -> None:
    path = Path().run(60.0)
    assert not path.degraded
    assert path.quality.loss == 0.0


def test_loss_either_way_that_stays_is_degradation() -> None:
    for loss in ({"up": 0.08}, {"down": 0.08}):
        path = Path().run(5.0).run(2.5, **loss)
        assert not path.degraded
        path.run(2.0, **loss)
        assert path.degraded
        assert path.quality.loss is not None
        assert 0.06 < path.quality.loss < 0.1


def test_a_burst_of_loss_is_not() -> None:
    path = Path().run(5.0)
    for _ in range(10):
        assert not path.run(1.0, up=0.5).run(3.0).degraded


def test_delay_that_stays_is_degradation_even_without_traffic() -> None:
    path = Path().run(10.0)
    assert path.run(40.0, srtt=0.4, rate=0.5).degraded


def test_between_the_levels_nothing_changes() -> None:
    assert not Path().run(30.0, up=0.03).degraded
    assert not Path().run(30.0, srtt=0.25).degraded
    path = Path().run(10.0, up=0.2)
    assert path.degraded
    assert path.run(60.0, up=0.03).degraded
    assert path.run(60.0, srtt=0.25).degraded


def test_it_returns_after_good_windows_in_a_row() -> None:
    path = Path().run(10.0, up=0.2)
    assert path.run(8.0).degraded
    path.run(1.5, up=0.2)
    assert path.run(9.0).degraded
    assert not path.run(3.0).degraded


def test_few_datagrams_tell_no_loss() -> None:
    """One probe in ten seconds that is lost is no share of anything."""
    assert not Path().run(100.0, up=0.5, rate=1.0).degraded


def test_a_degraded_path_that_is_only_probed_recovers() -> None:
    path = Path().run(10.0, up=0.2)
    assert not path.run(40.0, rate=10.0).degraded


def test_a_way_without_datagrams_tells_nothing() -> None:
    assert not Path().run(20.0, down_rate=0.0).degraded


def test_another_session_is_counted_from_its_own_numbers() -> None:
    path = Path().run(10.0)
    path.quality.begin()
    path._sent, path._arrived = [0.0, 0.0], [0.0, 0.0]
    assert not path.run(10.0).degraded
    assert path.quality.loss == 0.0
