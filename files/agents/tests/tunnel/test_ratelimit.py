from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nrs.tunnel.ratelimit import SourceLimiter


def test_a_burst_then_the_rate() -> None:
    limiter = SourceLimiter(rate=20, burst=5)
    assert [limiter.allow(b"a", 0.0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert not limiter.allow(b"a", 0.049)
    assert limiter.allow(b"a", 0.0501)
    assert not limiter.allow(b"a", 0.0502)


def test_a_refused_attempt_costs_nothing() -> None:
    """Hammering does not put off the next token."""
    limiter = SourceLimiter(rate=1, burst=1)
    assert limiter.allow(b"a", 0.0)
    assert not any(limiter.allow(b"a", n / 10) for n in range(1, 10))
    assert limiter.allow(b"a", 1.001)


def test_tokens_do_not_pile_up_beyond_the_burst() -> None:
    limiter = SourceLimiter(rate=20, burst=5)
    limiter.allow(b"a", 0.0)
    assert sum(limiter.allow(b"a", 1e6) for _ in range(50)) == 5


def test_sources_do_not_share() -> None:
    limiter = SourceLimiter(rate=1, burst=1)
    assert limiter.allow(b"a", 0.0)
    assert limiter.allow(b"b", 0.0)
    assert not limiter.allow(b"a", 0.0)


def test_the_table_is_bounded_and_forgets_the_longest_silent() -> None:
    limiter = SourceLimiter(rate=0.001, burst=1, most=3)
    for source in (b"a", b"b", b"c"):
        assert limiter.allow(source, 0.0)
    assert not limiter.allow(b"a", 1.0)  # heard of again: now b is the longest silent
    assert limiter.allow(b"d", 2.0)
    assert len(limiter) == 3
    assert not limiter.allow(b"a", 3.0)
    assert not limiter.allow(b"c", 3.0)
    assert limiter.allow(b"b", 3.0)


@given(pauses=st.lists(st.floats(0, 2), max_size=60))
def test_never_more_than_burst_and_rate_give(pauses: list[float]) -> None:
    limiter = SourceLimiter(rate=3, burst=4)
    now, allowed = 0.0, 0
    for pause in pauses:
        now += pause
        allowed += limiter.allow(b"a", now)
        assert allowed <= 4 + 3 * now + 1e-6
