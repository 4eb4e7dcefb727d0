from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nrs.balancer.keep.feed import Feed


def test_a_change_is_passed_on_at_once_and_once() -> None:
    feed = Feed(100.0)
    feed.note("a", changed=True)
    feed.note("a", changed=True)
    assert feed.take(1.0) == ["a"]
    assert feed.take(1.0) == []


def test_who_stays_is_spread_over_the_round() -> None:
    feed = Feed(100.0)
    for number in range(100):
        feed.note(f"endpoint_{number}", changed=False)
    parts = [feed.take(10.0) for _ in range(10)]
    assert [len(part) for part in parts] == [10] * 10
    assert len({name for part in parts for name in part}) == 100
    assert feed.take(10.0) == []


def test_what_could_not_be_passed_on_comes_again() -> None:
    feed = Feed(100.0)
    feed.note("a", changed=True)
    feed.again(feed.take(1.0))
    assert feed.take(1.0) == ["a"]


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans()), max_size=40),
    st.lists(st.floats(0.1, 60), min_size=1, max_size=5),
)
def test_nobody_is_forgotten(asked: list[tuple[str, bool]], turns: list[float]) -> None:
    feed = Feed(60.0)
    passed: set[str] = set()
    for index, (name, changed) in enumerate(asked):
        feed.note(name, changed=changed)
        if index % 3 == 0:
            passed.update(feed.take(turns[index % len(turns)]))
    passed.update(feed.take_all())
    assert passed == {name for name, _ in asked}
    assert feed.take(60.0) == []
