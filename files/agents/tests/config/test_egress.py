"""The section `egress` of routing_server.yaml."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from nrs.config.loader import ConfigError, load
from nrs.router.config import Egress, RoutingServerConfig
from tests.config.test_files import ROUTING_SERVER


def egress(tmp_path: Path, section: str) -> Egress:
    file = tmp_path / "file.yaml"
    file.write_text(ROUTING_SERVER + section, encoding="utf-8")
    return load(file, RoutingServerConfig).egress


def test_without_the_section_nothing_is_asked(tmp_path: Path) -> None:
    for section in ("", "egress: {}\n", "egress: {check_ip: null}\n"):
        assert egress(tmp_path, section) == Egress(
            check_ip=None, check_interval=0.2, check_misses=3
        )


def test_what_is_stated_is_taken(tmp_path: Path) -> None:
    found = egress(
        tmp_path, 'egress: {check_ip: "2001:db8::1", check_interval: 1, check_misses: 5}'
    )
    assert found.check_ip == ipaddress.ip_address("2001:db8::1")
    assert (found.check_interval, found.check_misses) == (1.0, 5)


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("egress: {check_ip: business.example}", r"egress\.check_ip: .*IPv4 or IPv6 address"),
        ("egress: {check_ip: 3}", r"egress\.check_ip"),
        ("egress: {check_interval: 0.01}", r"egress\.check_interval"),
        ("egress: {check_interval: .nan}", r"egress\.check_interval"),
        ("egress: {check_misses: 0}", r"egress\.check_misses"),
        ("egress: {check_misses: 1.5}", r"egress\.check_misses"),
        ("egress: {misses: 3}", r"egress\.misses"),
        ("egress: {other_check_ip: 192.0.2.1}", "other_check_ip: check_ip is not given"),
        (
            "egress: {check_ip: 192.0.2.1, other_check_ip: 192.0.2.2}",
            "other_check_ip: it has to be of the other family",
        ),
    ],
)
def test_what_is_impossible_is_refused(tmp_path: Path, section: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        egress(tmp_path, section)
