from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from nrs.tunnel import processor_wait
from nrs.tunnel.processor_wait import ProcessorWait


@pytest.fixture
def crowded() -> Iterator[None]:
    """The thread shares its processor with a process that always computes."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
        busy.kill()
        busy.wait()


@pytest.mark.usefixtures("crowded")
def test_it_grows_while_another_process_computes() -> None:
    with closing(ProcessorWait()) as wait:
        before, began = wait.read(), time.monotonic()
        while wait.read() - before < 0.02:
            assert time.monotonic() - began < 10
        assert wait.read() - before <= time.monotonic() - began


def test_a_kernel_that_does_not_say_has_never_let_it_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processor_wait, "_FILE", "/proc/no/such/file")
    with closing(ProcessorWait()) as wait:
        assert wait.read() == 0.0
