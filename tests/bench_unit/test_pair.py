"""Two hosts and the link between them."""

from __future__ import annotations

import sys

import pytest

from bench.pair import LINK, UNDERLAY, Pair
from testbed.command import run
from testbed.failed import Failed


def test_the_hosts_reach_each_other_and_nothing_stays() -> None:
    with Pair() as pair:
        ping = pair.host("a").enter("ping", "-c", "1", "-W", "5", UNDERLAY["b"])
        assert " 1 received" in run(ping)
        assert [link["ifname"] for link in pair.host("b").ip_json("link")] == ["lo", LINK]
        child = pair.start("b", "x", ["sleep", 60])
        directory = pair.directory
        pair.check()
    assert child.process.returncode is not None
    assert not pair.host("a").exists
    assert not pair.host("b").exists
    assert not directory.exists()


def test_one_more_host_goes_with_the_others() -> None:
    with Pair() as pair:
        added = pair.add("third")
        assert pair.host("third") == added
        assert [link["ifname"] for link in added.ip_json("link")] == ["lo"]
        pair.widen(2000)
    assert not added.exists


def test_one_that_has_ended_is_told_of_unless_it_was_to_end() -> None:
    with Pair() as pair:
        pair.end(pair.start("a", "asked", ["sleep", 60]))
        pair.check()
        pair.start("a", "failed", ["sh", "-c", "echo why; exit 3"]).process.wait(20)
        with pytest.raises(Failed, match=r"^failed ended with status 3:\nwhy$"):
            pair.check()


def test_a_program_takes_no_module_from_where_the_benchmark_is_called() -> None:
    with Pair() as pair:
        child = pair.start("a", "x", [sys.executable, "-c", "import os; print(os.getcwd())"])
        assert child.process.wait(20) == 0
        assert child.said == "/\n"
