"""The whole controller in its own process: start, requests at once, crashes, reload, stop."""

from __future__ import annotations

import itertools
import signal
import socket
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

import nrs
from nrs.controller.agent import every
from nrs.system import control
from tests.signing import Signing

from .conftest import Clock, endpoint, status, tunnel
from .process import ControllerProcess


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[ControllerProcess]:
    process = ControllerProcess(tmp_path)
    yield process
    process.close()


def addresses(answer: requests.Response) -> tuple[str, str]:
    body = answer.json()
    return body["tun_ipv4"], body["tun_ipv6"]


def test_statuses_are_stored_at_intervals_however_often_the_tick_comes() -> None:
    clock = Clock()
    stored: list[float] = []
    tick = every(10, lambda: stored.append(clock.now), clock)
    began = clock.now
    for _ in range(26):
        tick()
        clock.now += 1
    assert stored == [began + 10, began + 20]


def test_fifty_registrations_at_once_get_fifty_addresses(controller: ControllerProcess) -> None:
    controller.start()
    together = threading.Barrier(50)

    def register(n: int) -> requests.Response:
        together.wait()
        return controller.call("POST", "/register", endpoint(f"endpoint_{n}"))

    with ThreadPoolExecutor(50) as executor:
        answers = list(executor.map(register, range(50)))
    assert [answer.status_code for answer in answers] == [201] * 50
    given = [addresses(answer) for answer in answers]
    assert {v4 for v4, _ in given} == {f"10.10.100.{n}" for n in range(1, 51)}
    assert {v6 for _, v6 in given} == {f"fd00:100::{n:x}" for n in range(1, 51)}


def test_one_device_registering_fifty_times_at_once_is_one_device(
    controller: ControllerProcess,
) -> None:
    controller.start()
    together = threading.Barrier(50)

    def register(_: int) -> requests.Response:
        together.wait()
        return controller.call("POST", "/register", endpoint())

    with ThreadPoolExecutor(50) as executor:
        answers = list(executor.map(register, range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [201]
    assert {addresses(answer) for answer in answers} == {("10.10.100.1", "fd00:100::1")}


def test_kill_in_the_middle_of_registrations_loses_and_doubles_nothing(
    controller: ControllerProcess,
) -> None:
    controller.configure(ip_allocation={"tun_ipv4_pool": {"base": "10.9.0.0", "end": 60000}})
    confirmed: dict[str, tuple[str, str]] = {}
    numbers = itertools.count()
    enough = threading.Semaphore(0)

    def register_until_it_dies(_: int) -> None:
        while True:
            device_id = f"endpoint_{next(numbers)}"
            try:
                answer = controller.call("POST", "/register", endpoint(device_id))
            except requests.RequestException:
                return
            confirmed[device_id] = addresses(answer)
            enough.release()

    for crash in range(3):
        controller.start()
        with ThreadPoolExecutor(8) as executor:
            deaths = executor.map(register_until_it_dies, range(8))
            for _ in range(40 + 7 * crash):
                assert enough.acquire(timeout=30)
            controller.signal(signal.SIGKILL)
            list(deaths)
        assert controller.wait() == -signal.SIGKILL

    controller.start()
    assert len(confirmed) >= 120
    for device_id, held in confirmed.items():
        answer = controller.call("POST", "/register", endpoint(device_id))
        assert (answer.status_code, addresses(answer)) == (200, held), device_id
    devices = controller.call("GET", "/devices").json()["devices"]
    assert len({d["tun_ipv4"] for d in devices}) == len({d["tun_ipv6"] for d in devices})
    assert len({d["tun_ipv4"] for d in devices}) == len(devices)
    connection = sqlite3.connect(controller.database_file)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_stop_keeps_what_was_only_in_memory_and_leaves_no_socket(
    controller: ControllerProcess,
) -> None:
    controller.start()
    controller.call("POST", "/register", endpoint())
    assert controller.call("POST", "/status", status("endpoint_1", tunnel("r"))).ok
    control_socket = controller.runtime / "network_controller.sock"
    assert control_socket.is_socket()
    controller.signal(signal.SIGTERM)
    assert controller.wait() == 0
    assert not control_socket.exists()
    controller.start()
    device = controller.call("GET", "/device/endpoint_1").json()
    assert [t["peer_id"] for t in device["tunnels"]] == ["r"]


def test_interrupt_stops_a_foreground_run(controller: ControllerProcess) -> None:
    controller.start()
    controller.signal(signal.SIGINT)
    assert controller.wait() == 0


def test_reload_takes_over_what_can_change_and_drops_no_device(
    controller: ControllerProcess, tmp_path: Path
) -> None:
    with controller.notifications() as sock:
        controller.spawn(NOTIFY_SOCKET=sock.getsockname())
        controller.expect(sock, "READY=1")
        controller.call("POST", "/register", endpoint("endpoint_1"))
        before = controller.bearer
        controller.trust(Signing(tmp_path))
        controller.configure(
            ip_allocation={"tun_ipv4_pool": {"base": "10.50.0.0"}}, tunnel={"default_port": 4000}
        )
        controller.signal(signal.SIGHUP)
        controller.expect(sock, "READY=1")
        url = f"{controller.url}/devices"
        assert requests.get(url, headers=before, timeout=30).status_code == 401
        answer = controller.call("POST", "/register", endpoint("endpoint_2"))
        assert answer.json()["tun_ipv4"] == "10.50.0.1"
        assert answer.json()["tunnel_port"] == 4000


def test_a_reload_of_a_broken_file_changes_nothing_and_says_so(
    controller: ControllerProcess,
) -> None:
    with controller.notifications() as sock:
        controller.spawn(NOTIFY_SOCKET=sock.getsockname())
        controller.expect(sock, "READY=1")
        controller.configure(tunnel={"default_port": 0})
        controller.signal(signal.SIGHUP)
        controller.expect(sock, "READY=1")
    assert controller.call("POST", "/register", endpoint()).json()["tunnel_port"] == 51820
    logged = controller.log_file.read_text()
    assert "stays as it was" in logged
    assert "tunnel.default_port: found 0" in logged


def test_the_control_socket_tells_the_status(controller: ControllerProcess) -> None:
    controller.start()
    controller.call("POST", "/register", endpoint())
    path = controller.runtime / "network_controller.sock"
    answer = control.request(path, "status")
    assert answer == {
        "role": "network_controller",
        "release": nrs.__version__,
        "unit": "",
        "files_not_in_force": [],
        "reloads": 0,
        "reload_error": None,
        "restart_needed": False,
        "id": socket.gethostname(),
        "codec": None,
        "offloads": [],
        "tunnels": [],
        "refused": {"credentials": 0, "requests": 0},
        "devices": controller.call("GET", "/devices").json()["devices"],
    }
    assert [d["device_id"] for d in answer["devices"]] == ["endpoint_1"]


def test_the_control_socket_outlives_a_failing_database(controller: ControllerProcess) -> None:
    controller.start()
    path = controller.runtime / "network_controller.sock"
    connection = sqlite3.connect(controller.database_file)
    connection.execute("ALTER TABLE devices RENAME TO away")
    with pytest.raises(control.ControlError, match="storage failed"):
        control.request(path, "status")
    connection.execute("ALTER TABLE away RENAME TO devices")
    connection.close()
    assert control.request(path, "status")["devices"] == []


def expect_refusal(controller: ControllerProcess, message: str, status: int = 2) -> None:
    controller.spawn()
    assert controller.wait() == status
    errors = controller.error_file.read_text()
    assert message in errors
    assert "Traceback" not in errors
    assert len(errors.splitlines()) == 1


def test_a_port_in_use_is_one_message_and_tried_again(controller: ControllerProcess) -> None:
    with socket.create_server(("::1", controller.port), family=socket.AF_INET6):
        message = f"cannot listen on ::1 port {controller.port}: Address already in use"
        expect_refusal(controller, message, status=1)


def test_a_configuration_error_is_one_message_and_exit_2(controller: ControllerProcess) -> None:
    controller.configure(security={"default_psk": "changeme"})
    expect_refusal(controller, "security: default_psk is a placeholder")


def test_a_database_that_is_none_is_one_message_and_exit_2(controller: ControllerProcess) -> None:
    controller.database_file.parent.mkdir()
    controller.database_file.write_text("not a database " * 100)
    expect_refusal(controller, f"{controller.database_file}: file is not a database")


def test_a_log_file_that_cannot_be_opened_is_one_message_and_exit_2(
    controller: ControllerProcess,
) -> None:
    controller.log_file.mkdir(parents=True)
    expect_refusal(controller, f"controller.log_file: {controller.log_file}: Is a directory")
