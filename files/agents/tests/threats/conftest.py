from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.threats.deployment import Deployment


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.end()
