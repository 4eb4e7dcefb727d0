"""What agents do about what somebody else takes away."""

from __future__ import annotations

from collections.abc import Callable

from testbed.wait import wait_until

from tests.netns.world import Agent

BACK_S = 2.0
TOLD = "of tun0 removed by somebody: put back"


def put_back_told_once_and_counted(
    agent: Agent, edit: Callable[[], object], place: Callable[[], str]
) -> None:
    """`edit` it twice; `place` is what an edit changes."""
    before = place()
    told = 0
    for number in (1, 2):
        edit()
        wait_until(lambda: place() == before, BACK_S, "all is back")
        wait_until(lambda n=number: agent.status()["put_back"] >= n, BACK_S, "it is counted")
        told = told or agent.log.count(TOLD)
    assert agent.log.count(TOLD) == told > 0
    assert agent.status()["problems"] == []
    assert "Traceback" not in agent.log
