"""Keys of `load_balancer.yaml` beyond those of every release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nrs.balancer.config import LoadBalancerConfig
from nrs.config.loader import ConfigError, build


def state(**keys: Any) -> LoadBalancerConfig:
    return build({"state": keys}, LoadBalancerConfig, "file")


@pytest.mark.parametrize(
    "url",
    [
        "redis://192.0.2.10",
        "redis://[2001:db8::10]:6379/0",
        "rediss://state.example.org:6380/2",
    ],
)
def test_where_state_is_shared(url: str) -> None:
    assert state(url=url).state.url == url


@pytest.mark.parametrize(
    "url", ["http://192.0.2.10", "redis://:secret@192.0.2.10", "redis://", "redis://a/b", 7]
)
def test_what_is_no_url_of_a_shared_state(url: object) -> None:
    with pytest.raises(ConfigError, match=r"file: state\.url: found .*: must be a URL such as"):
        state(url=url)


def test_its_password_is_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("between us\n")
    found = state(url="redis://192.0.2.10", password_file=str(file))
    assert found.state.password == file.read_text().strip()
    with pytest.raises(ConfigError, match=r"state: cannot read .*missing"):
        state(password_file=str(tmp_path / "missing"))


def test_nothing_is_shared_unless_told() -> None:
    assert state().state.url is None
    with pytest.raises(ConfigError, match=r"state\.store_interval"):
        state(store_interval=0)
