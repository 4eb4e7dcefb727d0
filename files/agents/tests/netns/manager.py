"""What systemd does for an agent's descriptors, without systemd: keeps them between processes."""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path

_MOST = 64
_LAUNCH = """
import fcntl, os, sys
fds = [int(fd) for fd in sys.argv[1].split(",") if fd]
aside = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 200) for fd in fds]
for fd in fds:
    os.close(fd)
for number, fd in enumerate(aside, 3):
    os.dup2(fd, number, inheritable=True)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Manager:
    """Listens as systemd does (sd_notify(3)), and starts processes with what has been kept."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "notify"
        self.told: list[str] = []
        self._kept: dict[str, int] = {}
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def kept(self) -> set[str]:
        """Names of the descriptors that are kept now."""
        with self._lock:
            return set(self._kept)

    def launch(self, *command: str) -> tuple[list[str], tuple[int, ...], dict[str, str]]:
        """The command to start, the descriptors to pass, and the environment to add."""
        with self._lock:
            names, fds = list(self._kept), tuple(self._kept.values())
        wrapped = [sys.executable, "-c", _LAUNCH, ",".join(map(str, fds)), *command]
        environment = {"NOTIFY_SOCKET": str(self.path)}
        if fds:
            environment |= {"LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": ":".join(names)}
        return wrapped, fds, environment

    def _listen(self) -> None:
        while True:
            data, fds, _, _ = socket.recv_fds(self._socket, 4096, _MOST)
            if data == b"close":
                return
            said = dict(line.split("=", 1) for line in data.decode().splitlines())
            with self._lock:
                self.told.append(data.decode())
                name = said.get("FDNAME", "stored")
                if "FDSTORE" in said:
                    assert said["FDPOLL"] == "0"
                    self._kept[name] = fds.pop()
                elif "FDSTOREREMOVE" in said:
                    os.close(self._kept.pop(name))
            for fd in fds:
                os.close(fd)

    def close(self) -> None:
        """Let go of everything."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"close", str(self.path))
        self._thread.join(5)
        self._socket.close()
        while self._kept:
            os.close(self._kept.popitem()[1])
