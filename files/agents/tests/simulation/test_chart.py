from __future__ import annotations

from nrs.simulation.chart import Line, lines
from nrs.simulation.measures import Sample


def sample(at: float, *each: float) -> Sample:
    return Sample(at, min(each), sum(each) / len(each), max(each), each)


def test_each_router_has_a_line_in_eighths_of_its_capacity() -> None:
    samples = [sample(0.0, 0.0, 0.01), sample(1.0, 0.5, 1.0), sample(2.0, 0.25, 1.01)]
    assert list(lines(samples, 80)) == [
        Line("router_1", " ▄▂", 0.25),
        Line("router_2", "▁█!", 1.01),
    ]


def test_a_character_is_the_greatest_load_of_its_span() -> None:
    samples = [sample(float(i), 1.0 if i == 3 else 0.125) for i in range(100)]
    (line,) = lines(samples, 10)
    assert line.bar == "█▁▁▁▁▁▁▁▁▁"


def test_many_routers_are_drawn_as_least_mean_and_most() -> None:
    samples = [Sample(0.0, 0.1, 0.5, 0.9, ())]
    assert [line.name for line in lines(samples, 10)] == ["least loaded", "mean", "most loaded"]
