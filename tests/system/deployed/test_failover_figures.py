"""The short form of `bin/bench failover`, on the lab as it is deployed."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

FAULTS = ("kill", "blackhole", "switch", "drain")
TRIALS = 5
# Twice the targets: the machine does other things too.
SLACK = 2


@pytest.mark.timeout(600)
def test_faults_and_planned_moves_cost_no_more_than_promised(lab: Any) -> None:
    words = ("--trials", str(TRIALS), "--faults", ",".join(FAULTS), "--slack", str(SLACK))
    ended = subprocess.run(
        [lab.checkout / "bin" / "bench", "failover", "--deployed", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    said = ended.stderr + ended.stdout
    assert ended.returncode == 0, said
    figures = json.loads(ended.stdout.splitlines()[-1])
    assert {name: figures[name]["trials"] for name in figures} == dict.fromkeys(FAULTS, TRIALS)
    missed = [line for line in ended.stdout.splitlines() if line.startswith("MISSED")]
    assert not missed, "\n".join([*missed, said])
