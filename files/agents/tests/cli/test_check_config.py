from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Nrs

GOOD = {
    "routing_server": """
server: {server_id: router_1, name: Router 1, tunnel_id: 1, egress_interface: eth1}
tunnel: {psk: KEY, tun_ipv4: 10.10.1.1, tun_ipv6: "fd00:1::1"}
load_balancer: {url: "http://192.0.2.10:8080"}
""",
    "load_balancer": "server: {bind_port: 8080}\n",
    "network_access_endpoint": """
endpoint: {endpoint_id: endpoint_1, name: Endpoint 1}
tunnel: {psk: KEY, tun_ipv4: 10.10.100.1, tun_ipv6: "fd00:100::1", routes: [198.51.100.0/24]}
routers: [{router_id: router_1, external_ip: 192.0.2.1}]
load_balancer: {url: "http://192.0.2.10:8080"}
""",
    "network_controller": "controller: {bind_port: 8090}\n",
}
KEY = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="


def write(directory: Path, name: str, unit: str) -> Path:
    path = directory / name
    path.write_text(GOOD[unit].replace("KEY", KEY))
    return path


@pytest.mark.parametrize("unit", GOOD)
def test_a_good_file_of_each_unit_is_known_by_its_name(nrs: Nrs, tmp_path: Path, unit: str) -> None:
    path = write(tmp_path, f"{unit}.yaml", unit)
    done = nrs("check-config", path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{path}: ok\n", "")


def test_problems_go_to_stderr_one_a_line_with_exit_2(nrs: Nrs, tmp_path: Path) -> None:
    path = tmp_path / "network_controller.yaml"
    path.write_text("controller: {bind_port: 0}\nsecurity: {psk: x}\n")
    done = nrs("check-config", path)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"{path}: controller.bind_port: found 0: ")
    assert lines[1] == f"{path}: security.psk: unknown key; allowed here: default_psk"


def test_a_file_of_another_name_needs_the_unit(nrs: Nrs, tmp_path: Path) -> None:
    path = write(tmp_path, "candidate", "load_balancer")
    done = nrs("check-config", path)
    assert done.returncode == 2
    assert "--unit" in done.stderr
    assert "load_balancer" in done.stderr
    assert nrs("check-config", "--unit", "load_balancer", path).returncode == 0


def test_the_stated_unit_goes_before_the_name(nrs: Nrs, tmp_path: Path) -> None:
    path = write(tmp_path, "load_balancer.yaml", "network_controller")
    assert nrs("check-config", path).returncode == 2
    assert nrs("check-config", "--unit", "network_controller", path).returncode == 0


def test_a_file_that_is_not_there(nrs: Nrs, tmp_path: Path) -> None:
    done = nrs("check-config", tmp_path / "load_balancer.yaml")
    assert done.returncode == 2
    assert done.stderr == f"{tmp_path}/load_balancer.yaml: No such file or directory\n"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("bind_ports: []", "server.bind_ports: List should have at least 1 item"),
        ("bind_ports: 443", "server.bind_ports: found 443: "),
        ("bind_ports: [443, 53, 443]", "server.bind_ports: port 443 is given twice"),
        ("bind_ports: [443, 65536]", "server.bind_ports[1]: found 65536: "),
        ("bind_ports: [0755]", "server.bind_ports[0]: found 0755, which YAML reads as 493: "),
        (
            "bind_port: 443, bind_ports: [53]",
            "server: bind_port 443 and bind_ports [53] are both given: keep one of them",
        ),
    ],
)
def test_ports_that_cannot_be(nrs: Nrs, tmp_path: Path, given: str, said: str) -> None:
    path = write(tmp_path, "routing_server.yaml", "routing_server")
    path.write_text(path.read_text().replace("server: {", f"server: {{{given}, "))
    done = nrs("check-config", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{path}: {said}")


@pytest.mark.parametrize(("ports", "place"), [("[]", ""), ("[0]", "[0]"), ("['443']", "[0]")])
def test_ports_of_an_endpoint_that_cannot_be(
    nrs: Nrs, tmp_path: Path, ports: str, place: str
) -> None:
    path = write(tmp_path, "network_access_endpoint.yaml", "network_access_endpoint")
    path.write_text(path.read_text().replace("192.0.2.1}", f"192.0.2.1, ports: {ports}}}"))
    done = nrs("check-config", path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{path}: routers[0].ports{place}: ")
