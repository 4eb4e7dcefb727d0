from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from nrs.balancer.config import LoadBalancerConfig
from nrs.config.loader import ConfigError, Pushed, load, load_pushed
from nrs.config.overlay import merge
from nrs.config.secret import KeyedSection
from nrs.config.types import Interface, Label, Name, Network, Port, Seconds, Section, Urls
from nrs.controller.config import NetworkControllerConfig
from nrs.endpoint.config import NetworkAccessEndpointConfig
from nrs.router.config import RoutingServerConfig
from tests.config.test_files import CONTROLLER, ENDPOINT, LOAD_BALANCER, ROUTING_SERVER


class Example(Section):
    port: Port = 1
    time: Seconds = 1.0
    weight: Annotated[float, Field(strict=True, ge=-10)] = 1.0
    number: Annotated[int, Field(strict=True, ge=0)] | Name = 0
    flag: bool = False
    name: Name = "a"
    label: Label = "a"
    interface: Interface = "a"
    file: Path | None = None
    url: Urls | None = None
    networks: list[Network] = Field(default_factory=list)
    tunnel: KeyedSection | None = None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "example.yaml"


def problems(file: Path, text: str, model: type[Section] = Example) -> list[str]:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file, model)
    return [line.removeprefix(f"{file}: ") for line in str(caught.value).splitlines()]


# What is written, and what YAML 1.1 makes of it.
WHOLE = {
    "0755": "493",
    "-0755": "-493",
    "00": "0",
    "1:20": "80",
    "-1:20": "-80",
    "190:20:30": "685230",
    "1_000": "1000",
    "1_": "1",
    "0b1": "1",
    "0x1f": "31",
    "0x_": "nothing",
    "0b_": "nothing",
}
FRACTIONS = {
    "1:20.5": "80.5",
    "1_000.5": "1000.5",
    "1.0_1": "1.01",
    ".inf": "inf",
    "-.Inf": "-inf",
    ".NaN": "nan",
}
WORDS = {"no": "false", "Yes": "true", "ON": "true", "off": "false"}
DATES = ("2026-01-01", "2026-13-45", "2026-01-01 10:00:00", "2001-12-14t21:59:43.10-05:00")
MISREAD = {
    **WHOLE,
    **FRACTIONS,
    **WORDS,
    **dict.fromkeys(DATES, "a date"),
}


@pytest.mark.parametrize(("text", "meaning"), MISREAD.items())
def test_where_a_whole_number_is_expected(file: Path, text: str, meaning: str) -> None:
    assert problems(file, f"port: {text}") == [
        f"port: found {text}, which YAML reads as {meaning}: must be a whole number,"
        " at least 1, at most 65535, in decimal digits without quotes"
    ]


@pytest.mark.parametrize(("text", "meaning"), MISREAD.items())
def test_where_a_number_is_expected(file: Path, text: str, meaning: str) -> None:
    assert problems(file, f"weight: {text}") == [
        f"weight: found {text}, which YAML reads as {meaning}: must be a number,"
        " at least -10, in decimal digits without quotes"
    ]


@pytest.mark.parametrize(("text", "meaning"), MISREAD.items())
@pytest.mark.parametrize("key", ["name", "label", "interface", "file"])
def test_where_text_is_expected(file: Path, key: str, text: str, meaning: str) -> None:
    (found,) = problems(file, f"{key}: {text}")
    assert found.startswith(f"{key}: found {text}, which YAML reads as {meaning}: ")
    assert found.endswith("; text goes in quotes")


@pytest.mark.parametrize("text", MISREAD)
def test_where_something_else_is_expected(file: Path, text: str) -> None:
    for key in ("flag", "url", "networks"):
        (found,) = problems(file, f"{key}: {text}")
        assert found.startswith(f"{key}: found {text}, which YAML reads as ")
    (found,) = problems(file, f"networks: [10.0.0.0/8, {text}]")
    assert found.startswith(f"networks[1]: found {text}, which YAML reads as ")
    (found,) = problems(file, f"{text}: 1")
    assert found.endswith(f":1: the key {text} must be text")


@pytest.mark.parametrize("text", MISREAD)
def test_where_a_number_or_a_name_is_expected(file: Path, text: str) -> None:
    found = problems(file, f"number: {text}")
    assert [line.partition(", which")[0] for line in found] == [f"number: found {text}"] * 2
    assert "at least 0, in decimal digits" in found[0] and "text goes in quotes" in found[1]


@pytest.mark.parametrize("text", MISREAD)
def test_in_quotes_it_is_text(file: Path, text: str) -> None:
    file.write_text(f"label: '{text}'")
    assert load(file, Example).label == text
    assert problems(file, f"port: '{text}'")[0].startswith(f"port: found '{text}': ")


@pytest.mark.parametrize("text", ["!!int '0755'", "!!float '1:20.5'", "!!bool 'no'", "!!int abc"])
def test_a_tag_makes_no_difference(file: Path, text: str) -> None:
    (found,) = problems(file, f"port: {text}")
    assert found.startswith(f"port: found {text.split()[1].strip(chr(39))}, which YAML reads as")


@pytest.mark.parametrize("text", ["1e3", "0o17", "0899", "0X1F", "-.5", "1,000", "10s"])
def test_what_is_text_to_yaml_is_no_number(file: Path, text: str) -> None:
    for key, kind in (("port", "a whole number"), ("time", "a number")):
        (found,) = problems(file, f"{key}: {text}")
        assert found.startswith(f"{key}: found '{text}': must be {kind}, ")


@pytest.mark.parametrize("text", MISREAD)
def test_no_secret_is_shown(file: Path, text: str) -> None:
    (found,) = problems(file, f"tunnel: {{psk: {text}}}")
    assert found == "tunnel.psk: Input should be a valid string; text goes in quotes"


def test_every_one_is_found(file: Path) -> None:
    found = problems(file, "port: 0755\ntime: 1:20\nname: no\nlabel: fine\n")
    assert [line.partition(",")[0] for line in found] == [
        "port: found 0755",
        "time: found 1:20",
        "name: found no",
    ]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[("0", 0.0), ("10", 10.0), ("+10", 10.0), ("-3", -3.0), ("0.30", 0.3), (".5", 0.5)],
        *[("5.", 5.0), ("1.5e+3", 1500.0), ("05.5", 5.5), ("!!float 5", 5.0)],
    ],
)
def test_decimal_numbers(file: Path, text: str, number: float) -> None:
    file.write_text(f"weight: {text}")
    assert load(file, Example).weight == number


@pytest.mark.parametrize(("text", "value"), [("true", True), ("False", False), ("TRUE", True)])
def test_truth_values(file: Path, text: str, value: bool) -> None:
    file.write_text(f"flag: {text}")
    assert load(file, Example).flag is value


def test_what_is_pushed_replaces_it(file: Path) -> None:
    file.write_text("port: 0755")
    with pytest.raises(ConfigError, match="0755"):
        load_pushed(file, Example, Pushed(1, {"port": 5}), lambda _, data, over: merge(data, over))
    file.write_text("port: 755")
    pushed = load_pushed(
        file, Example, Pushed(1, {"port": 5}), lambda _, data, over: merge(data, over)
    )
    assert pushed.port == 5


NUMBERS = [
    (ROUTING_SERVER, "bind_port: 51820", RoutingServerConfig, "server.bind_port"),
    (ROUTING_SERVER, "report_interval: 10", RoutingServerConfig, "metrics.report_interval"),
    (ENDPOINT, "  port: 51820", NetworkAccessEndpointConfig, "tunnel.port"),
    (
        ENDPOINT,
        "keepalive_interval: 10",
        NetworkAccessEndpointConfig,
        "tunnel.keepalive_interval",
    ),
    (ENDPOINT, "poll_interval: 10", NetworkAccessEndpointConfig, "load_balancer.poll_interval"),
    (LOAD_BALANCER, "cpu: 0.30", LoadBalancerConfig, "algorithm.weights.cpu"),
    (LOAD_BALANCER, "max_connections: 100", LoadBalancerConfig, "algorithm.max_connections"),
    (CONTROLLER, "end: 254", NetworkControllerConfig, "ip_allocation.tun_ipv4_pool.end"),
    (CONTROLLER, "default_port: 51820", NetworkControllerConfig, "tunnel.default_port"),
]
NAMES = [
    (ROUTING_SERVER, "tunnel_id: 1", RoutingServerConfig, "server.tunnel_id"),
    (ROUTING_SERVER, "server_id: router_1", RoutingServerConfig, "server.server_id"),
    (ENDPOINT, "router_id: router_1", NetworkAccessEndpointConfig, "routers[0].router_id"),
]


@pytest.mark.parametrize(("text", "old", "model", "key"), NUMBERS + NAMES)
@pytest.mark.parametrize("value", ["010", "1:20", "1_0", "0x1f", "0b11", "1:20.5", "no"])
def test_in_the_four_files(
    file: Path, text: str, old: str, model: type[Section], key: str, value: str
) -> None:
    found = problems(file, replaced(text, old, value), model)
    assert {line.partition(", which")[0] for line in found} == {f"{key}: found {value}"}


@pytest.mark.parametrize(("text", "old", "model", "key"), NUMBERS)
def test_no_number_of_the_four_files_may_be_in_quotes(
    file: Path, text: str, old: str, model: type[Section], key: str
) -> None:
    (found,) = problems(file, replaced(text, old, "'10'"), model)
    assert found.startswith(f"{key}: found '10': must be ")


def replaced(text: str, old: str, value: str) -> str:
    assert old in text
    return text.replace(old, f"{old.partition(':')[0]}: {value}", 1)
