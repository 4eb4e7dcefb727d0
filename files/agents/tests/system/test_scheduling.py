"""What the kernel gives the packet loop, and what it does not give to anybody beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nrs.system import scheduling

_ASK = """
import json, os, subprocess, sys, threading
from nrs.system import scheduling
found = {"own": scheduling.hurry().as_dict(), "class": os.sched_getscheduler(0)}
beside = threading.Thread(target=lambda: found.update(thread=scheduling.present().as_dict()))
beside.start()
beside.join()
child = "import os; from nrs.system import scheduling as s; s.step_aside();"
child += "print(s.present().nice, os.getsid(0) == os.getpid())"
found["child"] = subprocess.check_output([sys.executable, "-c", child], text=True).split()
print(json.dumps(found))
"""
_RIGHTLESS = ("setpriv", "--bounding-set=-sys_nice", "--inh-caps=-all")


def hurried(*wrapper: str, session: bool = True) -> dict[str, Any]:
    """What a process of its own finds that hurries."""
    said = subprocess.check_output(
        [*wrapper, sys.executable, "-c", _ASK],
        start_new_session=session,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    found: dict[str, Any] = json.loads(said)
    return found


@pytest.mark.parametrize("wrapper", [(), ("nice", "-n", str(scheduling.NICE))], ids=["", "unit"])
def test_the_thread_that_hurries_comes_first_in_the_ordinary_class(wrapper: Sequence[str]) -> None:
    found = hurried(*wrapper)
    assert found["own"]["nice"] == scheduling.NICE
    assert found["class"] & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER
    assert found["thread"]["nice"] == 0
    assert found["child"] == ["0", "True"]


def test_only_a_session_of_its_own_is_hurried() -> None:
    there = Path("/proc/self/autogroup").exists()
    assert hurried()["own"]["session_nice"] == (scheduling.NICE if there else None)
    shared = hurried(session=False)["own"]["session_nice"]
    assert shared == scheduling.present().session_nice


def test_without_rights_it_goes_on_as_it_is() -> None:
    found = hurried(*_RIGHTLESS)
    assert found["own"]["nice"] == 0
    assert found["own"]["session_nice"] in (0, None)


def test_a_processor_of_another_kind_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "_SETATTR", {})
    monkeypatch.setattr(scheduling, "_GETATTR", {})
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    monkeypatch.setattr(os, "getsid", lambda _: 0)
    assert scheduling.hurry().nice == nice
    assert scheduling.present().slice_ms is None
