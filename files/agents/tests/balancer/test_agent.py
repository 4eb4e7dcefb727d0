"""The load balancer as a process of its own, as an operator runs it in the foreground."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from testbed.ports import free_port
from testbed.wait import wait_until

import nrs
from nrs.identity.credential import Role
from nrs.system import control
from tests.api.certified import DAY, NOW, Authority
from tests.balancer.reports import fields
from tests.balancer.shared_state import StateServer
from tests.serving import TIMEOUT_S
from tests.signing import Signing

SOURCES = Path(nrs.__file__).parents[1]


class Agent:
    """A running load balancer with systemd's end of its notifications."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.config = directory / "load_balancer.yaml"
        self.log_file = directory / "log" / "load_balancer.log"
        self.control = directory / "run" / "load_balancer.sock"
        self.url = f"http://127.0.0.1:{self.port}"
        self._notify_path = directory / "notify"
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(self._notify_path))
        self._notify.settimeout(TIMEOUT_S)
        self.process: subprocess.Popen[str] | None = None
        self._signing = signing = Signing(directory)
        self.api = {**signing.service(self.url), "loopback_reads": True}
        """The section of a service that takes tokens."""
        self.bearer = signing.bearer(self.url)
        self.write()

    def write(self, *, port: int | None = None, **sections: Any) -> None:
        """Write the configuration file, as JSON, which is YAML."""
        server = {
            "bind_address": "127.0.0.1",
            "bind_port": port or self.port,
            "log_file": str(self.log_file),
        }
        data = {"server": server, "api": self.api, **sections}
        self.config.write_text(json.dumps(data))

    def start(self) -> None:
        """Start it and wait until it says that it serves."""
        self.process = self.spawn()
        assert self.notified().startswith("READY=1\nSTATUS=serving on 127.0.0.1 port")

    def spawn(self) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "PYTHONPATH": str(SOURCES),
            "NOTIFY_SOCKET": str(self._notify_path),
            "NRS_RUNTIME_DIRECTORY": str(self.control.parent),
        }
        environment.pop("JOURNAL_STREAM", None)
        return subprocess.Popen(
            [sys.executable, "-m", "nrs", "load-balancer", "--config", str(self.config)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def notified(self) -> str:
        """What it tells systemd next; fails at once, with what it printed, if it has ended."""

        def told() -> bool:
            return bool(select.select([self._notify], [], [], 0)[0])

        assert self.process is not None
        wait_until(lambda: told() or self.process.poll() is not None, TIMEOUT_S, "a notification")
        assert told(), self.process.communicate()
        return self._notify.recv(4096).decode()

    def reload(self) -> None:
        """Send SIGHUP and wait for the end of the reload."""
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)
        assert self.notified().startswith("RELOADING=1\nMONOTONIC_USEC=")
        assert self.notified().startswith("READY=1")

    def stop(self, by: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Stop it; its exit status and standard error."""
        assert self.process is not None
        self.process.send_signal(by)
        _, errors = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, errors

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
        self._notify.close()

    def get(self, path: str, **arguments: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=TIMEOUT_S, **arguments)

    def decision(self, endpoint_id: str) -> Any:
        """What the endpoint is answered."""
        token = self._signing.token(self.url, Role.ENDPOINT, endpoint_id)
        bearer = {"Authorization": f"Bearer {token}"}
        return self.get(f"/decision/{endpoint_id}", headers=bearer).json()

    def post(self, body: dict[str, Any], bearer: dict[str, str] | None = None) -> requests.Response:
        return requests.post(
            f"{self.url}/metrics", json=body, headers=bearer or self.bearer, timeout=TIMEOUT_S
        )

    def log(self) -> str:
        return self.log_file.read_text()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    agent = Agent(tmp_path)
    yield agent
    agent.close()


def now(router_id: str, load: float = 0.0, **changes: Any) -> dict[str, Any]:
    return fields(router_id, load, **{"timestamp": time.time(), **changes})


def test_it_serves_until_sigterm(agent: Agent) -> None:
    agent.write(business_server={"ip": "2001:db8:100::10"})
    agent.start()
    assert agent.get("/health").json()["status"] == "ok"
    assert agent.post(now("router_1", 0.5)).status_code == 200
    decision = agent.decision("endpoint_1")
    assert decision["optimal_router_id"] == "router_1"
    assert decision["business_server_ip"] == "2001:db8:100::10"
    assert abs(decision["timestamp"] - time.time()) < 60
    status, errors = agent.stop()
    assert (status, agent.notified()) == (0, "STOPPING=1")
    assert "Traceback" not in errors
    assert not agent.control.exists()
    assert "router_1 is active" in agent.log()
    assert "stopped" in agent.log()


def test_control_c_stops_it_too(agent: Agent) -> None:
    agent.start()
    assert agent.stop(signal.SIGINT)[0] == 0


def test_it_stops_while_clients_hang_on(agent: Agent) -> None:
    agent.start()
    with socket.create_connection(("127.0.0.1", agent.port)) as idle:
        idle.sendall(b"GET /status HTTP/1.1\r\n")
        assert agent.stop()[0] == 0


def test_it_answers_on_its_control_socket(agent: Agent) -> None:
    agent.start()
    agent.post(now("router_1", 0.25))
    status = control.request(agent.control, "status")
    servers = status.pop("servers")
    assert status == {
        "role": "load_balancer",
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
    }
    assert servers == agent.get("/status").json()["servers"]
    assert [server["server_id"] for server in servers] == ["router_1"]


def test_sighup_applies_the_algorithm_and_keeps_what_is_known(agent: Agent) -> None:
    agent.start()
    agent.post(now("router_1", cpu_percent=50.0))
    assert agent.decision("endpoint_1")["score"] == 0.85
    agent.write(
        algorithm={"weights": {"cpu": 1, "memory": 0, "bandwidth": 0, "connections": 0}},
        business_server={"ip": "198.51.100.10"},
    )
    agent.reload()
    decision = agent.decision("endpoint_1")
    assert (decision["score"], decision["business_server_ip"]) == (0.5, "198.51.100.10")
    assert agent.get("/status").json()["active_decisions"] == 1
    assert "configuration reloaded" in agent.log()


def test_a_restart_keeps_decisions_and_what_was_set(agent: Agent) -> None:
    agent.start()
    for number in (1, 2, 3):
        agent.post(now(f"router_{number}", 0.3))
    for number in range(9):
        agent.decision(f"endpoint_{number}")
    before = agent.get("/decisions").json()["decisions"]
    assert len({listed["router_id"] for listed in before}) == 3
    changed = requests.put(
        f"{agent.url}/algorithm",
        json={"max_connections": 7},
        headers=agent.bearer,
        timeout=TIMEOUT_S,
    )
    assert changed.json()["changed"] is True
    assert agent.stop()[0] == 0
    assert agent.notified() == "STOPPING=1"

    agent.start()
    after = agent.get("/decisions").json()["decisions"]
    where = [(listed["endpoint_id"], listed["router_id"]) for listed in before]
    assert [(listed["endpoint_id"], listed["router_id"]) for listed in after] == where
    agent.post(now("router_1", 0.0))
    for endpoint_id, router_id in where:
        decision = agent.decision(endpoint_id)
        assert (decision["optimal_router_id"], decision["previous_router_id"]) == (
            router_id,
            router_id,
        )
    assert agent.get("/algorithm").json()["algorithm"]["max_connections"] == 7


def test_two_share_their_state_where_they_are_told_to(agent: Agent, tmp_path: Path) -> None:
    server = StateServer(tmp_path)
    server.start()
    (tmp_path / "second").mkdir()
    second = Agent(tmp_path / "second")
    try:
        for each in (agent, second):
            each.write(state={"url": server.url})
            each.start()
            each.post(now("router_1"))
        agent.decision("endpoint_1")
        deadline = time.monotonic() + TIMEOUT_S
        while not second.get("/decisions").json()["decisions"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        shared = {"connected": True, "error": None}
        assert second.get("/health").json()["shared_state"] == shared
        server.kill()
        while second.get("/health").json()["shared_state"]["connected"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert second.get("/decision/endpoint_1").status_code == 200
        assert (agent.stop()[0], second.stop()[0]) == (0, 0)
        assert f"{server.url} is not reached, this load balancer goes on alone" in second.log()
    finally:
        second.close()
        server.kill()


def test_sighup_takes_new_signers(agent: Agent, tmp_path: Path) -> None:
    agent.start()
    other = Signing(tmp_path).bearer(agent.url)
    assert agent.post(now("router_1"), other).status_code == 401
    agent.reload()
    assert agent.post(now("router_1")).status_code == 401
    assert agent.post(now("router_1"), other).status_code == 200


def test_sighup_moves_the_log(agent: Agent, tmp_path: Path) -> None:
    agent.start()
    agent.log_file = tmp_path / "elsewhere" / "lb.log"
    agent.write()
    agent.reload()
    assert "configuration reloaded" in agent.log()


@pytest.mark.parametrize(
    "text", ["algorithm: {weights: {cpu: -1}}\n", "server: [\n", "", "nonsense: 1\n"]
)
def test_an_invalid_file_changes_nothing_on_sighup(agent: Agent, text: str) -> None:
    agent.start()
    agent.post(now("router_1", 0.5))
    agent.config.write_text(text)
    agent.reload()
    assert agent.decision("endpoint_1")["score"] == 0.5
    assert agent.post(now("router_1", 0.25)).json()["score"] == 0.75
    assert f"the configuration stays as it was: {agent.config}" in agent.log()
    assert not_in_force(agent)[0] == [str(agent.config)]


def test_the_end_of_its_certificate_is_told_and_one_that_has_ended_is_not_taken(
    agent: Agent, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.certify("one", "127.0.0.1")
    files = {"certificate_file": str(certificate), "key_file": str(key)}
    agent.write(api={**agent.api, **files})
    agent.start()
    ending = f"the certificate of one ends in 8 days, on {(NOW + 9 * DAY).date()}"
    wait_until(lambda: f"{certificate}: {ending}" in agent.log(), TIMEOUT_S, "the log has it")

    def health() -> str:
        url = agent.url.replace("http:", "https:")
        answer = requests.get(f"{url}/health", verify=str(authority.file), timeout=TIMEOUT_S)
        assert answer.status_code == 200
        return str(answer.json()["certificate_warning"])

    assert health().startswith(ending)
    authority.certify("one", "127.0.0.1", begin=NOW - 9 * DAY, end=NOW - DAY)
    agent.reload()
    stays = f"the configuration stays as it was: {agent.config}: api: {certificate}"
    assert f"{stays}: the certificate expired on {(NOW - DAY).date()}" in agent.log()
    assert health().startswith(ending)
    authority.certify("one", "127.0.0.1", end=NOW + 90 * DAY)
    agent.reload()
    assert health() == "None"


def test_without_anybody_to_believe_it_says_whom_it_serves(agent: Agent) -> None:
    agent.write(api={})
    agent.start()
    said = f"{agent.config}: api.signers_file is missing, so nobody is served but this host"
    assert said in agent.log()
    agent.write()
    agent.reload()
    assert agent.log().count(said) == 1


def test_a_changed_port_needs_a_restart(agent: Agent) -> None:
    agent.start()
    other = free_port()
    agent.write(port=other)
    agent.reload()
    assert agent.get("/health").ok
    assert "a changed bind_address or bind_port needs a restart" in agent.log()
    said = "bind_address or bind_port changed, which takes a restart"
    assert not_in_force(agent) == ([str(agent.config)], 1, said)


def test_what_was_written_and_not_read_again_is_told(agent: Agent, tmp_path: Path) -> None:
    password = tmp_path / "password"
    state = {"url": "redis://127.0.0.1:9", "password_file": str(password)}
    password.write_text("one\n")
    agent.write(state=state)
    agent.start()
    assert not_in_force(agent) == ([], 0, None)
    password.write_text("two\n")
    assert not_in_force(agent) == ([str(password)], 0, None)
    agent.reload()
    said = "state.url or its password changed, which takes a restart"
    assert not_in_force(agent) == ([str(password)], 1, said)
    password.write_text("one\n")
    agent.write(state=state, algorithm={"max_connections": 7})
    agent.reload()
    assert not_in_force(agent) == ([], 2, None)


def not_in_force(agent: Agent) -> tuple[list[str], int, str | None]:
    """The files, how often they were read again, and what stood against that."""
    told = control.request(agent.control, "status")
    return told["files_not_in_force"], told["reloads"], told["reload_error"]


def test_a_reload_passes_no_token_in_clear_at_an_address_that_the_file_no_longer_has(
    agent: Agent,
) -> None:
    server = {"bind_port": agent.port, "log_file": str(agent.log_file)}
    agent.write(server={**server, "bind_address": "::"}, api={**agent.api, "allow_plain": True})
    agent.process = agent.spawn()
    assert agent.notified().startswith("READY=1")
    agent.write()
    agent.reload()
    stays = f"the configuration stays as it was: {agent.config}: api: server.bind_address in force"
    assert f"{stays}: found '::': beyond loopback it takes api.certificate_file" in agent.log()


def failed_start(agent: Agent, status: int = 2) -> list[str]:
    process = agent.spawn()
    output, errors = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, output) == (status, "")
    return errors.splitlines()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "server: {bind_prot: 8080}\n",
            "server.bind_prot: unknown key; allowed here: bind_address",
        ),
        ("algorithm: {weights: {cpu: .nan}}\n", "algorithm.weights.cpu: found .nan"),
        ("server: {bind_port: '80'}\n", "server.bind_port: found '80'"),
        (
            f"api: {{token: {'s' * 43}}}\n",
            "api: token holds no signed token, and a secret that all share is not accepted:"
            " write signers_file: FILE, which `nrs token keys` makes, and urls: [URL]",
        ),
        ("- 1\n", "must be a mapping of sections, found list"),
    ],
)
def test_a_bad_file_stops_it_with_one_line(agent: Agent, text: str, line: str) -> None:
    agent.config.write_text(text)
    (error,) = failed_start(agent)
    assert error.startswith(f"{agent.config}: {line}")


def test_a_missing_file_stops_it(agent: Agent) -> None:
    agent.config.unlink()
    assert failed_start(agent) == [f"{agent.config}: No such file or directory"]


def test_a_port_in_use_stops_it_with_one_line(agent: Agent) -> None:
    with socket.create_server(("127.0.0.1", agent.port)):
        assert failed_start(agent, 1) == [
            f"ERROR nrs.agent.run: cannot start: {agent.config}: server: cannot listen on"
            f" 127.0.0.1 port {agent.port}: Address already in use"
        ]


def test_an_address_of_another_host_stops_it(agent: Agent) -> None:
    agent.config.write_text("server: {bind_address: 192.0.2.1}\n")
    (error,) = failed_start(agent, 1)
    assert "cannot listen on 192.0.2.1 port 8080: Cannot assign requested address" in error


def test_a_log_that_cannot_be_written_stops_it(agent: Agent, tmp_path: Path) -> None:
    agent.log_file = tmp_path
    agent.write()
    assert failed_start(agent) == [f"{agent.config}: server.log_file: {tmp_path}: Is a directory"]


def test_without_a_control_socket_it_serves_all_the_same(agent: Agent) -> None:
    agent.write(api={})
    agent.control.parent.write_text("in the way")
    agent.start()
    assert "`nrs status` cannot ask here" in agent.log()
    # The directory is for what is kept, too.
    health = agent.get("/health")
    said = "decisions are not stored: their file could not be opened"
    assert (health.status_code, health.json()["reason"]) == (503, said)


def test_a_second_one_does_not_take_the_control_socket(agent: Agent, tmp_path: Path) -> None:
    agent.start()
    agent.post(now("router_1"))
    (tmp_path / "second").mkdir()
    second = Agent(tmp_path / "second")
    second.control = agent.control
    try:
        second.start()
        assert "another agent answers there" in second.log()
        assert second.stop()[0] == 0
    finally:
        second.close()
    assert len(control.request(agent.control, "status")["servers"]) == 1
