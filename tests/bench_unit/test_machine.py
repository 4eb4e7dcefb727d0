"""What else ran on the machine."""

from __future__ import annotations

import os

from bench import machine
from bench.machine import Usage

STAT = "cpu  100 20 300 5000 40 5 6 7 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\nintr 5\n"
START = Usage(busy=100.0, stolen=0.0, idle=1000.0)


def test_usage_is_of_all_processors_and_guests_do_not_count_twice() -> None:
    tick = 1 / os.sysconf("SC_CLK_TCK")
    usage = machine.parse_usage(STAT)
    assert round(usage.busy / tick) == 431
    assert round(usage.stolen / tick) == 7
    assert round(usage.idle / tick) == 5040


def test_a_machine_of_ones_own_is_quiet() -> None:
    text = machine.disturbance(START, Usage(busy=190.0, stolen=1.0, idle=1009.0), own=90.0)
    assert text.endswith("other processes used 0 % of the processors, other virtual machines 1 %")


def test_others_are_told_of() -> None:
    text = machine.disturbance(START, Usage(busy=190.0, stolen=0.0, idle=1010.0), own=60.0)
    assert "used 30 % of the processors" in text
    assert text.endswith("measure again on a quiet machine")
    assert "machines 10 %: measure again" in machine.disturbance(
        START, Usage(busy=180.0, stolen=10.0, idle=1010.0), own=80.0
    )


def test_nothing_at_all_is_no_disturbance() -> None:
    assert "used 0 %" in machine.disturbance(START, START, own=0.0)
