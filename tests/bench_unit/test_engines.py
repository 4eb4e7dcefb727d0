"""The tunnels that are compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.engines import ENGINES
from bench.engines.base import Missing, need
from bench.settings import Places


def test_each_engine_has_the_name_that_it_is_asked_for_by(tmp_path: Path) -> None:
    assert {name: make(Places(tmp_path)).name for name, make in ENGINES.items()} == {
        name: name for name in ENGINES
    }
    assert list(tmp_path.iterdir()) == []


def test_these_are_compared() -> None:
    names = [
        *("nrs-c", "nrs-python", "floor", "floor-libcrypto", "wireguard-go", "openvpn", "fastd"),
        "veth",
    ]
    assert list(ENGINES) == names


def test_a_peer_that_is_not_installed_is_missing_and_says_its_package() -> None:
    need("sh", "dash")
    with pytest.raises(Missing, match="no-such-program is not there \\(package nothing\\)"):
        need("no-such-program", "nothing")
