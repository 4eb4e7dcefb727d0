"""A systemd whose units a test makes up, and the agents that answer on their control sockets."""

from __future__ import annotations

import json
import re
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RELEASE = "1.0.0 0123abcd 3.11-x86_64"
# Stands for both programs: says what the test answers, and ends with the status that it names.
PROGRAM = f"""#!{sys.executable}
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as sock:
    sock.connect(os.environ["NRS_RUNTIME_DIRECTORY"] + "/systemd.sock")
    sock.sendall(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]).encode() + b"\\n")
    rc, said = json.loads(sock.makefile().readline())
print(said, file=sys.stderr if rc else sys.stdout)
sys.exit(rc)
"""


class Agent:
    """A unit and its agent, which goes by all that is on the disk until the test says otherwise."""

    def __init__(self, unit: str, place: Path) -> None:
        self.unit, self.file = unit, place / f"{unit}.service"
        self.asked: list[str] = []
        """What systemd was to do with it."""
        self.enabled, self.answers, self.crashes = True, True, False
        self.may_be_enabled = True
        self.starts: Callable[[], bool] = lambda: True
        self.release = self.installed = RELEASE
        self.stale: list[str] = []
        self.refuses: str | None = None
        self.restart_needed = False
        self.peers: list[str] = []
        self.back: Callable[[], list[str]] = lambda: self.peers
        self.restarts = self.reloads = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self.readable = True
        """Whether root may read its variables."""
        self.not_said: set[str] = set()
        """What the release that runs does not have in its status."""
        self._started_by = ""
        self.ran = 0.0
        """Seconds for which it seems to have run when it has just been started."""
        self.write("0a")
        self.load()

    def write(self, stamp: str) -> None:
        """The unit's file, by which no process runs yet."""
        self.file.write_text(f"[Service]\nEnvironment=NRS_UNIT={stamp}\n")

    def load(self) -> None:
        """What a reload of systemd itself takes over."""
        (self.loaded,) = re.findall("NRS_UNIT=(.*)", self.file.read_text())

    def start(self) -> None:
        """Run, by the file and with what is installed."""
        self.end()
        if not self.starts():
            return
        variables = {"NRS_UNIT": self.loaded} if self.readable else {}
        self._process = subprocess.Popen(["/bin/sleep", "600"], env=variables)
        self._started_by, self.not_said = self.loaded, set()
        self.crashes, self.restarts = False, 0
        self._started = time.monotonic() - self.ran
        self.release, self.stale = self.installed, []

    def end(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def systemctl(self, verb: str) -> tuple[int, str]:
        """The status and what is said."""
        if verb == "show":
            return 0, "\n".join(f"{key}={value}" for key, value in self._shown().items())
        self.asked.append(verb)
        if verb == "enable":
            self.enabled = self.may_be_enabled
            return (0, "") if self.enabled else (1, f"Failed to enable unit {self.unit}")
        if verb in ("start", "restart"):
            self.peers = self.back()
            self.start()
        elif verb == "reload":
            self.reloads += 1
            self.stale = self.stale if self.refuses else []
        return 0, ""

    def status(self) -> dict[str, Any]:
        """For whoever asks the agent."""
        known = {
            "release": self.release,
            "unit": self._started_by,
            "files_not_in_force": self.stale,
            "reloads": self.reloads,
            "reload_error": self.refuses,
            "restart_needed": self.restart_needed,
            "tunnels": [{"endpoint_id": peer, "up": True} for peer in self.peers],
        }
        return {key: value for key, value in known.items() if key not in self.not_said}

    def _shown(self) -> dict[str, Any]:
        if self.crashes:
            self.restarts += 1
        runs = self._process is not None
        return {
            "ActiveState": "active" if runs else "activating" if self.crashes else "inactive",
            "MainPID": self._process.pid if self._process else 0,
            "NRestarts": self.restarts,
            "UnitFileState": "enabled" if self.enabled else "disabled",
            "FragmentPath": self.file,
            "Environment": f"NRS_UNIT={self.loaded}",
            "ExecMainStartTimestampMonotonic": int(self._started * 1e6),
        }


class Systemd:
    """Units of a host, and the environment in which a play finds them."""

    def __init__(self, place: Path) -> None:
        self._place, self.agents = place, {}
        self._servers = [self._serve("systemd", self._answer)]
        for program in ("systemctl", "journalctl"):
            (place / program).write_text(PROGRAM)
            (place / program).chmod(0o755)
        self.environment = {
            "PATH": f"{place}:/usr/sbin:/usr/bin:/sbin:/bin",
            "NRS_RUNTIME_DIRECTORY": str(place),
        }

    agents: dict[str, Agent]

    def add(self, unit: str) -> Agent:
        """One that runs."""
        agent = self.agents[unit] = Agent(unit, self._place)
        agent.start()

        def status(_: Any) -> Any:
            return {"result": agent.status()} if agent.answers else None

        self._servers.append(self._serve(unit, status))
        return agent

    def close(self) -> None:
        """End all of it."""
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for agent in self.agents.values():
            agent.end()

    def _answer(self, words: list[str]) -> tuple[int, str]:
        if words[0] == "journalctl":
            return 0, "what it said last"
        if words[1] == "daemon-reload":
            for agent in self.agents.values():
                agent.load()
            return 0, ""
        return self.agents[words[-1]].systemctl(words[1])

    def _serve(self, name: str, answer: Callable[[Any], Any]) -> socketserver.BaseServer:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                said = answer(json.loads(self.rfile.readline()))
                if said is not None:
                    self.wfile.write(json.dumps(said).encode() + b"\n")

        server = socketserver.ThreadingUnixStreamServer(str(self._place / f"{name}.sock"), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server


@contextmanager
def running() -> Iterator[Systemd]:
    """One in a place whose name is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="nrs-", dir="/tmp") as place:
        systemd = Systemd(Path(place))
        try:
            yield systemd
        finally:
            systemd.close()
