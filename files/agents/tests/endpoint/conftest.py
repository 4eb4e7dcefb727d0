from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from nrs.endpoint import tunnel as tunnel_module
from tests.endpoint.fakes import Loop


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    passing = Loop()
    monkeypatch.setattr(
        tunnel_module,
        "time",
        SimpleNamespace(
            monotonic=passing.clock,
            monotonic_ns=lambda: int(passing.now * 1e9),
            time=time.time,
        ),
    )
    return passing
