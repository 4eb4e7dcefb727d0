from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nrs.config.loader import ConfigError, build
from nrs.controller.config import NetworkControllerConfig
from nrs.controller.database import default_url


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"storage": {"url": "postgresql://db/nrs"}}, "storage.url"),
        ({"storage": {"url": "sqlite://"}}, "sqlite:////absolute/path"),
        ({"storage": {"url": "sqlite:///relative.sqlite3"}}, "sqlite:////absolute/path"),
        ({"storage": {"url": 5}}, "storage.url"),
        (
            {"ip_allocation": {"tun_ipv4_pool": {"start": 9, "end": 8}}},
            "ip_allocation.tun_ipv4_pool: end 8 is less than start 9",
        ),
        (
            {"ip_allocation": {"tun_ipv4_pool": {"base": "255.255.255.250"}}},
            "is past 255.255.255.255",
        ),
        (
            {"ip_allocation": {"tun_ipv6_pool": {"base": "ffff:" * 7 + "ffff"}}},
            "is past the last IPv6 address",
        ),
        ({"controler": {}}, "controler: unknown key"),
    ],
)
def test_what_cannot_be_is_refused_by_name(data: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError) as error:
        build(data, NetworkControllerConfig, "f.yaml")
    assert expected in str(error.value)


def test_an_empty_file_is_a_whole_configuration() -> None:
    config = build({}, NetworkControllerConfig, "f.yaml")
    assert config.storage.url is None
    assert config.controller.bind_port == 8090
    assert config.tunnel.default_port == 51820


def test_the_registry_lies_in_the_state_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}/a:{tmp_path}/b")
    assert default_url() == f"sqlite:///{tmp_path}/a/registry.sqlite3"
    monkeypatch.delenv("STATE_DIRECTORY")
    path = "/var/lib/network-routing-system/network_controller/registry.sqlite3"
    assert default_url() == f"sqlite:///{path}"
