"""Makes the checkout's top-level `testbed` package importable, and a namespace to try it on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from testbed.namespace import Namespace, existing


@pytest.fixture
def near() -> Iterator[Namespace]:
    yield from _made("near")


@pytest.fixture
def far() -> Iterator[Namespace]:
    yield from _made("far")


def _made(name: str) -> Iterator[Namespace]:
    made = Namespace(f"nrsu{os.getpid()}-{name}")
    made.add()
    try:
        yield made
    finally:
        made.delete()
    assert made not in existing("nrsu")
