"""A Redis or Valkey server of a test's own, on loopback."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from redis import Redis, RedisError
from testbed.ports import free_port

from tests.serving import TIMEOUT_S


class StateServer:
    """Started by `start`, and again after `kill`, with what it knew."""

    def __init__(self, directory: Path) -> None:
        program = shutil.which("valkey-server") or shutil.which("redis-server")
        # Without one nothing is tested here, which must not look like success.
        assert program is not None, "needs the package redis-server or valkey-server"
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._command = [
            *(program, "--bind", "127.0.0.1", "--port", str(self.port), "--save", ""),
            *("--appendonly", "yes", "--appendfsync", "always", "--dir", str(directory)),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + TIMEOUT_S
        with Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                except RedisError:
                    assert time.monotonic() < deadline, "the state server does not start"
                    time.sleep(0.05)
                else:
                    return

    def kill(self) -> None:
        """End it, as a lost host would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
