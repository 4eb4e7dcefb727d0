"""What a person may ask for."""

from __future__ import annotations

import argparse

import pytest

from bench import sessions, tunnel
from bench.engines import ENGINES


def tunnel_options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    tunnel.add_arguments(parser)
    return parser.parse_args(words)


def test_everything_is_measured_in_three_rounds_unless_told() -> None:
    options = tunnel_options()
    assert options.rounds == 3
    assert options.engines == list(ENGINES)


def test_engines_are_known_by_name() -> None:
    assert tunnel_options("--engines", "floor,nrs-c").engines == ["floor", "nrs-c"]
    with pytest.raises(SystemExit):
        tunnel_options("--engines", "floor,ipsec")


def test_ciphers_are_asked_for_by_name() -> None:
    assert tunnel_options().ciphers == []
    words = ("--cipher", "aes-256-gcm", "--cipher", "chacha20-poly1305")
    assert tunnel_options(*words).ciphers == ["aes-256-gcm", "chacha20-poly1305"]
    with pytest.raises(SystemExit):
        tunnel_options("--cipher", "none")


@pytest.mark.parametrize("words", [("--rounds", "0"), ("--seconds", "0"), ("--rounds", "x")])
def test_nothing_can_be_measured_in_no_time(words: tuple[str, str]) -> None:
    with pytest.raises(SystemExit):
        tunnel_options(*words)


@pytest.mark.parametrize(
    ("text", "good"), [("2", True), ("60000", True), ("1", False), ("60001", False)]
)
def test_a_router_gets_a_number_of_sessions_that_has_addresses(text: str, good: bool) -> None:
    parser = argparse.ArgumentParser()
    sessions.add_arguments(parser)
    if good:
        assert parser.parse_args(["--sessions", text]).sessions == int(text)
    else:
        with pytest.raises(SystemExit):
            parser.parse_args(["--sessions", text])


@pytest.mark.parametrize(("text", "good"), [("1400", True), ("8900", True), ("8901", False)])
def test_devices_have_an_mtu_that_agents_take(text: str, good: bool) -> None:
    if good:
        assert tunnel_options("--mtu", text).mtu == int(text)
    else:
        with pytest.raises(SystemExit):
            tunnel_options("--mtu", text)
