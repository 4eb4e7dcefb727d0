"""Which processes count, and what /proc says of them."""

from __future__ import annotations

import os
import subprocess
import sys

from testbed import proc
from testbed.proc import Stat

LINE = (
    "42 (a (very) odd) name) S 7 42 42 0 -1 4194304 100 200 0 0 150 25 30 5 20 0 3 0 1000 1 2 3\n"
)


def stat(pid: int, parent: int, ticks: int = 0) -> Stat:
    return Stat(pid, "S", parent, ticks)


def test_a_stat_line_is_read_whatever_the_command_is_called() -> None:
    assert proc.parse_stat(LINE) == stat(42, 7, 150 + 25 + 30 + 5)


def test_a_tree_is_the_roots_and_all_below_them_once() -> None:
    stats = [stat(1, 0), stat(2, 1), stat(3, 2), stat(4, 1), stat(5, 0)]
    assert [found.pid for found in proc.tree(stats, [2])] == [2, 3]
    assert sorted(found.pid for found in proc.tree(stats, [2, 3, 5])) == [2, 3, 5]
    assert proc.tree(stats, [99]) == []


def test_work_of_a_child_counts() -> None:
    before = proc.seconds([os.getpid()])
    busy = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    subprocess.run([sys.executable, "-c", busy], check=True, timeout=60)
    assert proc.seconds([os.getpid()]) - before >= 0.29


def test_resident_memory_is_read_in_kib_and_given_in_mb() -> None:
    assert proc.parse_resident_kib("Name:\tx\nVmRSS:\t  2048 kB\nVmData: 1 kB\n") == 2048
    assert proc.parse_resident_kib("Name:\tkthreadd\n") == 0
    assert 1 < proc.resident_mb(os.getpid()) < 10_000


def test_one_that_has_ended_does_not_run_though_its_parent_has_not_noticed() -> None:
    child = subprocess.Popen(["sleep", "60"])
    assert proc.runs(child.pid)
    assert proc.name(child.pid) == "sleep" or proc.name(child.pid).startswith("python")
    assert {os.getpid(), child.pid} <= set(proc.family(os.getpid()))
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert proc.stat(child.pid) is not None
    assert not proc.runs(child.pid)
    child.wait()
    assert proc.stat(child.pid) is None
    assert proc.name(child.pid) == ""


def test_ancestors_are_this_process_and_those_above_it() -> None:
    found = proc.ancestors()
    assert {os.getpid(), os.getppid(), 1} <= found
    child = subprocess.Popen(["sleep", "60"])
    assert child.pid not in proc.ancestors()
    child.kill()
    child.wait()
