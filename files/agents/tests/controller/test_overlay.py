from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrs.controller.overlay import OverlayRefused, canonical, check


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"tunnel": {"psk": "x"}}, "config.tunnel.psk"),
        ({"tunnel": {"psk_file": "/x"}}, "config.tunnel.psk_file"),
        ({"tunnel": {"previous_psk": "x"}}, "config.tunnel.previous_psk"),
        ({"tunnel": {"previous_psk_file": "/x"}}, "config.tunnel.previous_psk_file"),
        ({"tunnel": {"device_key": "x"}}, "config.tunnel.device_key"),
        ({"tunnel": {"device_key_file": "/x"}}, "config.tunnel.device_key_file"),
        ({"api": {"token": "x"}}, "config.api.token"),
        ({"api": {"token_file": None}}, "config.api.token_file"),
        ({"security": {"default_psk": "x"}}, "config.security.default_psk"),
        ({"psk": "x"}, "config.psk"),
        ({"tunnel": {"key_modes": ["shared"]}}, "config.tunnel.key_modes"),
        ({"tunnel": {"advertise": ["192.168.7.0/24"]}}, "config.tunnel.advertise"),
        ({"tunnel": {"endpoint_prefixes": []}}, "config.tunnel.endpoint_prefixes"),
        ({"tunnel": {"key_epoch": 9}}, "config.tunnel.key_epoch"),
        ({"tunnel": {"PSK": "x"}}, "config.tunnel.PSK"),
        ({"a": [{}, {"b": [{"psk": 1}]}]}, "config.a.1.b.0.psk"),
        ({"server": {"server_id": "router_2"}}, "config.server.server_id"),
        ({"endpoint": {"name": "ok", "endpoint_id": "e"}}, "config.endpoint.endpoint_id"),
    ],
)
def test_secrets_keys_and_identity_are_refused_with_their_path(
    config: dict[str, Any], field: str
) -> None:
    with pytest.raises(OverlayRefused) as refused:
        check(config)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"metrics": {"report_interval": 5}},
        {"routers": [{"router_id": "router_1", "external_ip": "192.0.2.1"}]},
        {"endpoint": {"name": "psk"}},
        {"server": {"endpoint_id": "not this device's identity"}},
    ],
)
def test_everything_else_passes(config: dict[str, Any]) -> None:
    check(config)


def test_the_stored_form_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical({"a": 1, "b": {"c": 2, "d": 3}}) == canonical({"b": {"d": 3, "c": 2}, "a": 1})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "1", "true"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)


@given(one=st.dictionaries(st.sampled_from("ab"), JSON), other=JSON)
def test_different_values_have_different_forms(one: dict[str, Any], other: Any) -> None:
    def typed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: typed(child) for key, child in value.items()}
        if isinstance(value, list):
            return [typed(child) for child in value]
        return (type(value), value)

    same = typed(one) == typed({"a": other})
    assert (canonical(one) == canonical({"a": other})) == same
