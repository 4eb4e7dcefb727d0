"""What is pushed is on a list, whatever a controller that was taken over may want."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import BaseModel

from nrs.config.overlay import PUSHABLE, OverlayRefused, check
from nrs.endpoint.config import NetworkAccessEndpointConfig
from nrs.router.config import RoutingServerConfig

ENDPOINT, ROUTER = "network_access_endpoint", "routing_server"
MODELS: dict[str, type[BaseModel]] = {
    ENDPOINT: NetworkAccessEndpointConfig,
    ROUTER: RoutingServerConfig,
}
NEVER = {
    ENDPOINT: {
        "api",
        "endpoint.endpoint_id",
        "endpoint.log_file",
        "endpoint.name",
        "load_balancer.url",
        "network_controller",
        "push",
        "tunnel.advertise",
        "tunnel.generation",
        "tunnel.cipher",
        "tunnel.device_key",
        "tunnel.device_key_file",
        "tunnel.device_keys",
        "tunnel.device_keys_file",
        "tunnel.exclude",
        "tunnel.interface_name",
        "tunnel.key_epoch",
        "tunnel.manage_policy_routing",
        "tunnel.mtu",
        "tunnel.port",
        "tunnel.psk",
        "tunnel.psk_file",
        "tunnel.tun_ipv4",
        "tunnel.tun_ipv6",
    },
    ROUTER: {
        "api",
        "egress",
        "load_balancer",
        "metrics",
        "network_controller",
        "server.bind_address",
        "server.bind_port",
        "server.bind_ports",
        "server.egress_interface",
        "server.external_ip",
        "server.internal_ip",
        "server.log_file",
        "server.name",
        "server.server_id",
        "server.tunnel_id",
        "tunnel",
    },
}
"""Keys, and sections of which nothing at all."""


def refused(config: dict[str, Any], unit: str = ENDPOINT) -> tuple[str, str]:
    with pytest.raises(OverlayRefused) as raised:
        check(config, unit)
    return raised.value.field, str(raised.value)


def nested(path: str, value: Any) -> dict[str, Any]:
    first, _, rest = path.partition(".")
    return {first: nested(rest, value) if rest else value}


@pytest.mark.parametrize(
    ("unit", "path"), [(u, p) for u, paths in NEVER.items() for p in sorted(paths)]
)
def test_what_is_never_pushed_is_refused_with_its_path(unit: str, path: str) -> None:
    for value in ("x", None, {"deep": 1}, ["x"]):
        assert refused(nested(path, value), unit)[0] == path


@pytest.mark.parametrize("unit", MODELS)
def test_every_key_of_a_file_is_on_one_list(unit: str) -> None:
    """A key that is added later is not pushed before somebody has thought about it."""
    known = {".".join(key) for key in PUSHABLE[unit]} | NEVER[unit]
    for name, field in MODELS[unit].model_fields.items():
        if name not in known:
            kinds = (field.annotation, *get_args(field.annotation))
            (section,) = (k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel))
            assert {f"{name}.{key}" for key in section.model_fields} <= known


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"psk": "x"}, "psk"),
        ({"tunnel": {"PSK": "x"}}, "tunnel.PSK"),
        ({"tunnel.routes": []}, "tunnel.routes"),
        ({"tunnel": None}, "tunnel"),
        ({"tunnel": ["routes"]}, "tunnel"),
        ({"endpoint": {"log_level": "debug", "log_file": "/etc/passwd"}}, "endpoint.log_file"),
    ],
)
def test_neither_is_anything_that_looks_like_it(config: dict[str, Any], field: str) -> None:
    assert refused(config)[0] == field


def test_a_service_is_pushed_nothing() -> None:
    assert refused({"server": {"log_level": "debug"}}, "load_balancer") == (
        "server",
        "is not pushed; what is: nothing",
    )


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("a\nERROR fake", r"a\nERROR fake"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\u2028", r"\u2028"),
        ("\ud800", r"\ud800"),
        ("\u202e", r"\u202e"),
    ],
)
@pytest.mark.parametrize("path", ["{}", "tunnel.{}", "tunnel.routes.{}"])
def test_a_key_with_control_characters_is_refused_and_not_printed(
    path: str, key: str, shown: str
) -> None:
    field, message = refused(nested(path.format(key), 1))
    assert (field, message) == (path.format(shown), "a key must not hold control characters")
    assert field.isprintable()


@pytest.mark.parametrize(
    ("config", "unit"),
    [
        ({}, ENDPOINT),
        ({"tunnel": {}}, ENDPOINT),
        ({"tunnel": {"routes": ["198.51.100.0/24"], "keepalive_interval": 5}}, ENDPOINT),
        ({"routers": [{"router_id": "router_1"}]}, ENDPOINT),
        ({"load_balancer": {"use": False, "poll_interval": 20}}, ENDPOINT),
        ({"endpoint": {"log_level": "debug"}}, ENDPOINT),
        ({"server": {"log_level": "debug"}}, ROUTER),
    ],
)
def test_what_is_on_the_list_passes(config: dict[str, Any], unit: str) -> None:
    check(config, unit)
