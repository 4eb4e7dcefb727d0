"""The controller as a process of its own, driven over its sockets."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests
import yaml
from testbed.ports import free_port

from tests.signing import Signing

AGENTS = Path(__file__).parents[2]
DEADLINE_S = 30


class ControllerProcess:
    """`nrs network-controller` on loopback, with everything it writes below `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.config_file = directory / "network_controller.yaml"
        self.database_file = directory / "state" / "registry.sqlite3"
        self.log_file = directory / "log" / "network_controller.log"
        self.runtime = directory / "run"
        self.error_file = directory / "stderr"
        self.process: subprocess.Popen[bytes] | None = None
        self.url = f"http://[::1]:{self.port}"
        self.trust(Signing(directory))
        self.configure()

    def trust(self, signing: Signing) -> None:
        """Whose tokens it takes, once it is configured again."""
        self._api, self.bearer = signing.service(self.url), signing.bearer(self.url)

    def configure(self, **sections: Any) -> None:
        """Write the configuration file."""
        config = {
            "controller": {
                "bind_address": "::1",
                "bind_port": self.port,
                "log_file": str(self.log_file),
            },
            "api": self._api,
            **sections,
        }
        self.config_file.write_text(yaml.safe_dump(config))

    def spawn(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start it without waiting for anything."""
        with self.error_file.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "nrs", "network-controller", "--config", self.config_file],
                cwd=AGENTS,
                stderr=errors,
                env={
                    **os.environ,
                    "STATE_DIRECTORY": str(self.database_file.parent),
                    "NRS_RUNTIME_DIRECTORY": str(self.runtime),
                    **environment,
                },
            )
        return self.process

    def start(self) -> None:
        """Start it; returns when it says that it is ready."""
        with self.notifications() as sock:
            self.spawn(NOTIFY_SOCKET=sock.getsockname())
            self.expect(sock, "READY=1")

    @contextlib.contextmanager
    def notifications(self) -> Any:
        path = self.directory / "notify"
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.bind(str(path))
            sock.settimeout(DEADLINE_S)
            yield sock

    def expect(self, sock: socket.socket, assignment: str) -> None:
        """Wait for a notification that holds `assignment`."""
        try:
            while assignment not in sock.recv(4096).decode().split("\n"):
                pass
        except TimeoutError:
            raise AssertionError(self.error_file.read_text()) from None

    def call(self, method: str, path: str, body: Any = None) -> requests.Response:
        return requests.request(
            method,
            f"{self.url}{path}",
            json=body,
            headers=self.bearer,
            timeout=DEADLINE_S,
        )

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self) -> int:
        """Its exit status."""
        assert self.process is not None
        return self.process.wait(DEADLINE_S)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
