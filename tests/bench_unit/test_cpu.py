"""Which processes count, and what /proc says of them."""

from __future__ import annotations

import os
import subprocess
import sys

from bench import cpu
from bench.cpu import Stat

LINE = (
    "42 (a (very) odd) name) S 7 42 42 0 -1 4194304 100 200 0 0 150 25 30 5 20 0 3 0 1000 1 2 3\n"
)


def test_a_stat_line_is_read_whatever_the_command_is_called() -> None:
    assert cpu.parse_stat(LINE) == Stat(pid=42, parent=7, ticks=150 + 25 + 30 + 5)


def test_a_tree_is_the_roots_and_all_below_them_once() -> None:
    stats = [Stat(1, 0, 1), Stat(2, 1, 10), Stat(3, 2, 100), Stat(4, 1, 1000), Stat(5, 0, 5)]
    assert {stat.pid for stat in cpu.tree(stats, [2])} == {2, 3}
    assert sorted(stat.pid for stat in cpu.tree(stats, [2, 3, 5])) == [2, 3, 5]
    assert cpu.tree(stats, [99]) == []


def test_work_of_a_child_counts() -> None:
    before = cpu.seconds([os.getpid()])
    busy = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    subprocess.run([sys.executable, "-c", busy], check=True, timeout=60)
    assert cpu.seconds([os.getpid()]) - before >= 0.29


def test_resident_memory_is_read_in_kib_and_given_in_mb() -> None:
    assert cpu.parse_resident_kib("Name:\tx\nVmRSS:\t  2048 kB\nVmData: 1 kB\n") == 2048
    assert cpu.parse_resident_kib("Name:\tkthreadd\n") == 0
    assert 1 < cpu.resident_mb(os.getpid(), descendants=False) < 10_000
