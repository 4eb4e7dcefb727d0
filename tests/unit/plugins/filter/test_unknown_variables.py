# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables that begin as a role's do."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.nrs.network_routing.plugins.filter import unknown_variables as module
from ansible_collections.nrs.network_routing.plugins.filter.unknown_variables import (
    unknown_variables,
)

ROLES = Path(module.__file__).resolve().parents[2] / "roles"
COMMON = str(ROLES / "common")


def files(pattern: str) -> list[Path]:
    found = sorted(ROLES.glob(pattern))
    assert found
    return found


@pytest.mark.parametrize("defaults", files("*/defaults/main.yml"), ids=str)
def test_every_default_is_known(defaults: Path) -> None:
    assert unknown_variables(yaml.safe_load(defaults.read_text()), COMMON) == []


@pytest.mark.parametrize("specs", files("*/meta/argument_specs.yml"), ids=str)
def test_every_argument_is_known_and_none_with_a_letter_more(specs: Path) -> None:
    entries = yaml.safe_load(specs.read_text())["argument_specs"].values()
    options = {name for entry in entries for name in entry["options"]}
    assert options
    assert unknown_variables(options, COMMON) == []
    for name in options:
        assert unknown_variables([f"{name}x"], COMMON) == [f"{name}x (nearest: {name})"]


def test_group_variables_of_other_roles_are_known() -> None:
    names = ["load_balancer_bind_port", "nrs_psk", "network_access_endpoint_routes"]
    assert unknown_variables(names, str(ROLES / "routing_server")) == []


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("routing_server_egres_interface", "routing_server_egress_interface"),
        ("routing_server_endpoint_network", "routing_server_endpoint_networks"),
        ("load_balancer_weight", "load_balancer_weights"),
        ("network_access_endpoint_route", "network_access_endpoint_routes"),
        ("network_controller_tun_ipv4_pol", "network_controller_tun_ipv4_pool"),
        ("nrs_psks", "nrs_psk"),
        ("nrs_token_renew_day", "nrs_token_renew_days"),
        # The beginning is misspelt.
        ("routing_servers_egress_interface", "routing_server_egress_interface"),
        ("routing_sever_tun_ipv4", "routing_server_tun_ipv4"),
        ("laod_balancer_bind_port", "load_balancer_bind_port"),
        ("network_acces_endpoint_routes", "network_access_endpoint_routes"),
        ("network_controllers_bind_port", "network_controller_bind_port"),
    ],
)
def test_the_nearest_name_is_given(name: str, nearest: str) -> None:
    assert unknown_variables([name, nearest], COMMON) == [f"{name} (nearest: {nearest})"]


def test_a_name_that_is_like_no_other_is_unknown_too() -> None:
    (found,) = unknown_variables(["routing_server_zzz"], COMMON)
    assert found.startswith("routing_server_zzz (nearest: routing_server_")


@pytest.mark.parametrize(
    "name",
    [
        *["_routing_server_egres", "__routing_server_x", "_common_host", "__common_probe"],
        *["my_routing_server_bind_port", "routing_servers", "routing_server", "nrs", "nrsx_psk"],
        *["ansible_host", "groups", "business_server_ip", "site_load_balancer_urls", ""],
    ],
)
def test_other_names_are_nobodys_concern(name: str) -> None:
    assert unknown_variables([name], COMMON) == []


def test_all_are_found_and_none_twice() -> None:
    names = ["nrs_b", "load_balancer_a", "nrs_b", "nrs_psk", "x"]
    found = unknown_variables(names, COMMON)
    assert [line.split()[0] for line in found] == ["load_balancer_a", "nrs_b"]


def test_roles_without_defaults(tmp_path: Path) -> None:
    role = tmp_path / "roles" / "router"
    (role / "meta").mkdir(parents=True)
    (role / "meta" / "argument_specs.yml").write_text(
        "argument_specs: {main: {options: {router_a: {}}}, other: {options: {router_b: {}}}, x: {}}"
    )
    assert unknown_variables(["router_a", "router_b"], str(role)) == []
    assert unknown_variables(["router_ab"], str(role)) == ["router_ab (nearest: router_b)"]
    (role / "defaults").mkdir()
    (role / "defaults" / "main.yml").write_text("---\nrouter_ab: 1\n")
    assert unknown_variables(["router_ab"], str(role)) == []


def test_no_roles_at_all(tmp_path: Path) -> None:
    with pytest.raises(AnsibleFilterError, match="no roles with argument specifications"):
        unknown_variables(["nrs_x"], str(tmp_path / "common"))
