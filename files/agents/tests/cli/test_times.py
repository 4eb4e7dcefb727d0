from __future__ import annotations

import time

import click
import pytest

from nrs.cli import times

CONTEXT, OPTION = click.Context(click.Command("x")), click.Option(["--x"])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90d", 7776000.0), ("12h", 43200.0), ("5m", 300.0), ("30s", 30.0), (None, None)],
)
def test_spans(text: str | None, seconds: float | None) -> None:
    assert times.span(CONTEXT, OPTION, text) == seconds


@pytest.mark.parametrize(
    "text", ["", "90", "d", "0d", "-1d", "1.5d", "90 d", "90D", "100000d", "٣d"]
)
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no length of time such as 90d"):
        times.span(CONTEXT, OPTION, text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-31", 1769817600.0),
        ("2026-01-31T12:00", 1769860800.0),
        ("2026-01-31T12:00:00Z", 1769860800.0),
        ("2026-01-31T13:00:00+01:00", 1769860800.0),
        (None, None),
    ],
)
def test_moments(text: str | None, seconds: float | None) -> None:
    assert times.moment(CONTEXT, OPTION, text) == seconds


def test_now_is_now() -> None:
    before = time.time()
    moment = times.moment(CONTEXT, OPTION, "now")
    assert moment is not None
    assert before <= moment <= time.time()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is no time"),
        ("soon", "is no time"),
        ("1769817600", "is no time"),
        ("9000-01-01", "future"),
    ],
)
def test_what_is_no_moment(text: str, problem: str) -> None:
    with pytest.raises(click.BadParameter, match=problem):
        times.moment(CONTEXT, OPTION, text)
