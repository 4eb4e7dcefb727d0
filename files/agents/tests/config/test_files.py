"""The four files, each with the documented keys and nothing more."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from nrs.balancer.config import LoadBalancerConfig
from nrs.config.loader import ConfigError, load
from nrs.config.types import Section
from nrs.controller.config import NetworkControllerConfig
from nrs.endpoint.config import NetworkAccessEndpointConfig
from nrs.router.config import RoutingServerConfig

PSK = base64.b64encode(bytes(range(32))).decode()

ROUTING_SERVER = f"""
server:
  server_id: router_1
  name: Router one
  tunnel_id: 1
  bind_address: "::"
  bind_port: 51820
  internal_ip: 10.0.0.1
  external_ip: 2001:db8::1
  egress_interface: eth1
  log_file: /var/log/network-routing-system/routing_server.log
tunnel: {{psk: "{PSK}", interface_name: tun0, tun_ipv4: 10.10.1.1, tun_ipv6: "fd00:10:1::1"}}
load_balancer: {{url: "http://[2001:db8::10]:8080"}}
metrics: {{report_interval: 10}}
"""

LOAD_BALANCER = """
server:
  bind_address: "::"
  bind_port: 8080
  log_file: /var/log/network-routing-system/load_balancer.log
algorithm:
  weights: {cpu: 0.30, memory: 0.20, bandwidth: 0.30, connections: 0.20}
  max_bandwidth_mbps: 1000
  max_connections: 100
  anti_flap_threshold: 0.05
  anti_flap_hold_time: 30
business_server: {ip: 198.51.100.10}
"""

ENDPOINT = f"""
endpoint:
  endpoint_id: endpoint_1
  name: Endpoint one
  log_file: /var/log/network-routing-system/network_access_endpoint.log
tunnel:
  psk: "{PSK}"
  interface_name: tun0
  tun_ipv4: 10.10.100.1
  tun_ipv6: "fd00:100::1"
  port: 51820
  keepalive_interval: 10
  routes: [198.51.100.0/24, "2001:db8:100::/64"]
routers:
  - router_id: router_1
    internal_ip: 10.0.0.1
    external_ip: 192.0.2.1
    bind_address: 192.0.2.101
  - router_id: router_2
    internal_ip: 10.0.0.2
    external_ip: 2001:db8::2
    bind_address: 2001:db8::102
load_balancer: {{url: ["http://192.0.2.10:8080", "http://192.0.2.11:8080"], poll_interval: 10}}
"""

CONTROLLER = f"""
controller:
  bind_address: "::"
  bind_port: 8090
  log_file: /var/log/network-routing-system/network_controller.log
ip_allocation:
  tun_ipv4_pool: {{base: 10.10.100.0, start: 1, end: 254}}
  tun_ipv6_pool: {{base: "fd00:100::", start: 1, end: 65535}}
security: {{default_psk: "{PSK}"}}
tunnel: {{default_port: 51820}}
"""

FILES: list[tuple[str, type[Section]]] = [
    (ROUTING_SERVER, RoutingServerConfig),
    (LOAD_BALANCER, LoadBalancerConfig),
    (ENDPOINT, NetworkAccessEndpointConfig),
    (CONTROLLER, NetworkControllerConfig),
]


@pytest.mark.parametrize(("text", "model"), FILES)
def test_the_documented_file_works_as_it_stands(
    text: str, model: type[Section], tmp_path: Path
) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(text)
    load(file, model)


@pytest.mark.parametrize(("text", "model"), FILES)
def test_an_unknown_section_stops_it(text: str, model: type[Section], tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(text + "extra: {}\n")
    with pytest.raises(ConfigError, match="extra: unknown key"):
        load(file, model)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("cpu: 0.30", "cpu: -0.30", r"algorithm.weights.cpu: found -0.3"),
        ("cpu: 0.30", "cpu: .inf", r"algorithm.weights.cpu: found .inf, which YAML reads as inf"),
        ("cpu: 0.30", "cpu: '0.30'", r"algorithm.weights.cpu: found '0.30'"),
        (
            "cpu: 0.30, memory: 0.20, bandwidth: 0.30, connections: 0.20",
            "cpu: 0, memory: 0, bandwidth: 0, connections: 0",
            "algorithm.weights: .*all be zero",
        ),
        ("max_connections: 100", "max_connections: 0", "algorithm.max_connections: found 0"),
        ("max_bandwidth_mbps: 1000", "max_bandwidth_mbps: 0", "max_bandwidth_mbps: found 0"),
        ("threshold: 0.05", "threshold: 1.5", "anti_flap_threshold: found 1.5"),
        ("hold_time: 30", "hold_time: true", "anti_flap_hold_time: found true"),
        ("bind_port: 8080", "bind_port: 80800", "server.bind_port: found 80800"),
        ("ip: 198.51.100.10", "ip: business", "business_server.ip: found 'business'"),
    ],
)
def test_impossible_values_of_the_load_balancer(
    old: str, new: str, problem: str, tmp_path: Path
) -> None:
    file = tmp_path / "load_balancer.yaml"
    assert old in LOAD_BALANCER
    file.write_text(LOAD_BALANCER.replace(old, new))
    with pytest.raises(ConfigError, match=problem):
        load(file, LoadBalancerConfig)
