"""Keeps the tests apart from what is installed on the machine and from how busy it is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from nrs.config import api as api_section

settings.register_profile("nrs", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("nrs")


@pytest.fixture(autouse=True)
def no_installed_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_section, "DEFAULT_TOKEN_FILE", Path("/no/such/token"))


@pytest.fixture(autouse=True)
def the_level_of_its_log() -> Iterator[None]:
    """An agent that is begun in this process sets it for all that follow."""
    root = logging.getLogger()
    before = root.level
    yield
    root.setLevel(before)
