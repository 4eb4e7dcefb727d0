"""The lab under test, for every test of the whole system."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
LAB = CHECKOUT / "bin" / "lab"


def pytest_configure(config: pytest.Config) -> None:
    """What takes too long for every run of `bin/test` is for `bin/test nightly`."""
    config.addinivalue_line("markers", "nightly: runs in `bin/test nightly` only")


class Lab:
    """The hosts of the lab that NRS_LAB_ROOT and NRS_LAB_NAME name."""

    checkout = CHECKOUT
    ENDPOINTS = ("endpoint_1", "endpoint_2")
    ROUTERS = ("router_1", "router_2", "router_3")
    UNITS = (
        ("lb", "load_balancer"),
        ("controller", "network_controller"),
        *((name, "routing_server") for name in ROUTERS),
        *((name, "network_access_endpoint") for name in ENDPOINTS),
    )

    @property
    def name(self) -> str:
        return os.environ.get("NRS_LAB_NAME") or "nrs"

    def run(
        self, *words: str, limit: float = 60, check: bool = True, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `bin/lab` with some words; a status other than 0 fails the test."""
        ended = subprocess.run(
            [str(LAB), *words],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
        if check and ended.returncode:
            pytest.fail(f"bin/lab {' '.join(words)}: {ended.stdout}{ended.stderr}")
        return ended

    def exec(self, host: str, *words: str, limit: float = 60) -> str:
        """What a command on a host printed."""
        return self.run("exec", host, *words, limit=limit).stdout

    def start(self, host: str, *words: str) -> subprocess.Popen[str]:
        """Start a command on a host."""
        return subprocess.Popen(
            [str(LAB), "exec", host, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ansible(
        self,
        program: str,
        *words: str,
        limit: float = 300,
        cwd: Path | None = None,
        collections: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run one of Ansible's programs at the control node, on the lab's inventory."""
        command = self._at_control_node(program, *words, collections=collections)
        return self.run(*command, limit=limit, check=False, cwd=cwd)

    def start_ansible(self, program: str, *words: str) -> subprocess.Popen[str]:
        """Start one there, in a process group of its own."""
        return subprocess.Popen(
            [str(LAB), *self._at_control_node(program, *words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def _at_control_node(
        self, program: str, *words: str, collections: Path | None = None
    ) -> list[str]:
        found_in = collections or os.environ["ANSIBLE_COLLECTIONS_PATH"]
        settings = (f"PATH={os.environ['PATH']}", f"ANSIBLE_COLLECTIONS_PATH={found_in}")
        inventory = str(CHECKOUT / "inventories" / "lab")
        return ["ctl", "env", *settings, program, "-i", inventory, *words]

    def token(self, url: str, role: str = "operator", name: str = "tester") -> str:
        """A token that the control node makes for one service and five minutes."""
        root = Path(os.environ.get("NRS_LAB_ROOT") or "/var/lib/nrs-lab")
        asked = {
            "source": str(CHECKOUT / "files" / "agents"),
            "cache": str(root / "wheels"),
            "directory": str(root / "labs" / self.name / "secrets"),
            "signing_key": "",
            "wanted": {"role": role, "id": name, "urls": [url]},
            "lifetime": 300,
        }
        program = CHECKOUT / "roles" / "common" / "files" / "credentials.py"
        made = subprocess.run(
            [sys.executable, str(program), "create"],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=True,
        )
        (token,) = json.loads(made.stdout)["tokens"]
        return str(token)

    def status(self, host: str) -> dict[str, Any]:
        """`nrs status` of a host."""
        status: dict[str, Any] = json.loads(self.exec(host, "nrs", "status", "--json"))
        return status

    def tunnels(self, endpoint: str) -> dict[str, dict[str, Any]]:
        """An endpoint's tunnels by router."""
        return {tunnel["router_id"]: tunnel for tunnel in self.status(endpoint)["tunnels"]}

    def active_router(self, endpoint: str) -> str:
        """The router that the endpoint's traffic goes through."""
        active = [name for name, tunnel in self.tunnels(endpoint).items() if tunnel["active"]]
        assert len(active) == 1, f"{endpoint} has active tunnels to {active or 'nobody'}"
        return active[0]

    def all_up(self) -> bool:
        """Whether each endpoint has two tunnels up; one whose agent is being started has none."""
        asked = [
            self.run("exec", endpoint, "nrs", "status", "--json", check=False)
            for endpoint in self.ENDPOINTS
        ]
        return all(
            said.returncode == 0
            and sum(tunnel["up"] for tunnel in json.loads(said.stdout)["tunnels"]) == 2
            for said in asked
        )


def until(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Wait until a condition holds and return how long that took; fail after `seconds`."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            pytest.fail(f"not within {seconds:g} s: {what}")
        time.sleep(0.1)
    return time.monotonic() - started


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab under test."""
    return Lab()


@pytest.fixture
def wait() -> Callable[[Callable[[], bool], float, str], float]:
    """Wait for a condition, for a bounded time."""
    return until
