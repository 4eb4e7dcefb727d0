"""Names of routers are looked up beside the packet loop, and tried in turn."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Sequence

import pytest
from testbed.wait import wait_until

from nrs.config.types import IPAddress
from nrs.endpoint.names import FRESH_S, RETRY_S, Names, interleaved


def addresses(*texts: str) -> list[IPAddress]:
    return [ipaddress.ip_address(text) for text in texts]


FIRST, SECOND = addresses("192.0.2.1"), addresses("192.0.2.2")


class Resolver:
    """Answers when it is let, with what it is told."""

    def __init__(self) -> None:
        self.answer: Sequence[IPAddress] | OSError = FIRST
        self.asked = 0
        self.let = threading.Event()
        self.let.set()

    def __call__(self, name: str) -> Sequence[IPAddress]:
        self.asked += 1
        assert self.let.wait(10)
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("sorted_by_host", "tried"),
    [
        ([], []),
        (["2001:db8::1", "2001:db8::2", "192.0.2.1"], ["2001:db8::1", "192.0.2.1", "2001:db8::2"]),
        (["192.0.2.1", "192.0.2.2", "2001:db8::1"], ["192.0.2.1", "2001:db8::1", "192.0.2.2"]),
        (["192.0.2.2", "192.0.2.1"], ["192.0.2.2", "192.0.2.1"]),
    ],
)
def test_families_take_turns(sorted_by_host: list[str], tried: list[str]) -> None:
    assert interleaved(addresses(*sorted_by_host)) == addresses(*tried)


def test_nobody_waits_for_an_answer_and_a_new_one_is_told() -> None:
    resolver, told = Resolver(), threading.Event()
    resolver.let.clear()
    names = Names(told.set, resolver)
    assert names.addresses("r", 0.0, failing=False) == []
    assert names.addresses("r", 100.0, failing=True) == []
    resolver.let.set()
    assert told.wait(10)
    assert resolver.asked == 1  # while one is under way there is no other
    assert names.addresses("r", 0.0, failing=False) == FIRST


def test_it_is_looked_up_each_minute_and_sooner_where_nothing_answers() -> None:
    resolver, told = Resolver(), threading.Event()
    names = Names(told.set, resolver)
    names.addresses("r", 0.0, failing=False)
    assert told.wait(10)
    for now, failing, asked in (
        (FRESH_S - 1, False, 1),
        (FRESH_S, False, 2),
        (FRESH_S + RETRY_S - 1, True, 2),
        (FRESH_S + RETRY_S, True, 3),
    ):
        names.addresses("r", now, failing=failing)
        wait_until(lambda: not names._known["r"].busy, 10, "an answer")
        assert resolver.asked == asked


def test_a_name_that_cannot_be_looked_up_stays_what_it_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    resolver, told = Resolver(), threading.Event()
    names = Names(told.set, resolver)
    names.addresses("r", 0.0, failing=False)
    assert told.wait(10)
    resolver.answer = OSError("no answer")
    for now in (FRESH_S, FRESH_S + RETRY_S):
        names.addresses("r", now, failing=False)
        wait_until(lambda: not names._known["r"].busy, 10, "an answer")
    assert names.addresses("r", now, failing=False) == FIRST
    assert [r.getMessage() for r in caplog.records].count(
        "cannot look up r: no answer; still 192.0.2.1"
    ) == 1
    told.clear()
    resolver.answer = SECOND
    names.addresses("r", FRESH_S + 2 * RETRY_S, failing=False)
    assert told.wait(10)
    assert names.addresses("r", FRESH_S + 2 * RETRY_S, failing=False) == SECOND
