"""The lab's containers: podman with storage of its own, so that nothing else is touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from lab.cgroups import MountNamespace
from lab.settings import Settings
from lab.topology import Host
from testbed.command import run
from testbed.failed import Failed

_SYS_RESOURCE = 24
# What systemd and the units that it runs would have on a machine of their own.
_CAPABILITIES = {
    "net_admin": 12,
    "net_raw": 13,
    "ipc_lock": 14,
    "sys_ptrace": 19,
    "sys_admin": 21,
    "sys_nice": 23,
    "sys_resource": _SYS_RESOURCE,
    "audit_write": 29,
}


_ATTEMPTS = 4


@dataclass(frozen=True)
class Container:
    host: str
    running: bool
    image: str  # the tag that it was made from


class Podman:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._mounts = MountNamespace(settings.root)
        self._label = f"nrs.lab={settings.name}"
        self._bounding = _bounding_set()

    def command(self, *arguments: str) -> list[str]:
        """The whole command line of a podman call."""
        root, runtime = self._settings.root, self._settings.runtime
        return [
            *self._mounts.enter(),
            "podman",
            f"--root={root / 'graph'}",
            f"--runroot={runtime / 'containers'}",
            f"--tmpdir={runtime / 'libpod'}",
            f"--runtime={self._runtime()}",
            "--storage-driver=overlay",
            "--cgroup-manager=cgroupfs",
            "--events-backend=none",
            *arguments,
        ]

    def run(self, *arguments: str, check: bool = True) -> str:
        """What podman prints; it may take as long as it likes. Raises Failed."""
        return run(self.command(*arguments), check=check, limit=None)

    def container(self, host: Host) -> str:
        return f"{self._settings.name}-{host.name}"

    def containers(self) -> dict[str, Container]:
        """The containers of this lab, by host name."""
        if not self._mounts.exists():
            return {}
        text = self.run("ps", "--all", "--format=json", f"--filter=label={self._label}")
        found = {}
        for item in json.loads(text or "[]"):
            host = item["Labels"]["nrs.host"]
            found[host] = Container(host, item["State"] == "running", item["Image"])
        return found

    def start(self, host: Host, image: str, namespace: Path) -> None:
        """Create and start a host in a network namespace that exists."""
        capabilities = ",".join(
            name for name, bit in _CAPABILITIES.items() if self._bounding >> bit & 1
        )
        self.run(
            "run", "--detach", f"--name={self.container(host)}", f"--hostname={host.hostname}",
            f"--label={self._label}", f"--label=nrs.host={host.name}",
            f"--network=ns:{namespace}", "--no-hosts", "--dns=none",
            "--restart=always", "--systemd=always", "--stop-signal=SIGRTMIN+3",
            # Nothing of a host is kept, so it need not shut down before it is removed.
            "--stop-timeout=0",
            "--pids-limit=-1", "--ulimit=nofile=16384:16384", "--ulimit=nproc=20000:20000",
            f"--cap-add={capabilities}", "--device=/dev/net/tun",
            "--security-opt=unmask=/proc/sys", "--security-opt=apparmor=unconfined",
            f"--volume={self._settings.key}.pub:/root/.ssh/authorized_keys:ro",
            image, "/sbin/init",
        )  # fmt: skip

    def restart(self, host: Host) -> None:
        self.run("start", self.container(host))

    def remove(self, hosts: Sequence[str]) -> None:
        """Remove containers, running or not; raises Failed where one resists."""
        left = set(hosts)
        for attempt in range(_ATTEMPTS):
            if not left:
                return
            # A container that ends by itself at this moment is refused, and goes at the next
            # attempt.
            names = [f"{self._settings.name}-{host}" for host in sorted(left)]
            self.run("rm", "--force", "--volumes", *names, check=attempt == _ATTEMPTS - 1)
            left &= set(self.containers())

    def state(self, host: Host) -> str:
        """What systemd says of itself: running, degraded, starting ...; "down" without a host."""
        said = self.run("exec", self.container(host), "systemctl", "is-system-running", check=False)
        return said.strip() or "down"

    def wait_until_booted(self, host: Host, seconds: float = 120) -> str:
        """The state that a host settles in; raises Failed with its console where it does not."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            state = self.state(host)
            if state in ("running", "degraded"):
                return state
            time.sleep(0.1)
        log = self.run("logs", "--tail=20", self.container(host), check=False)
        raise Failed(f"{host.name} did not boot within {seconds:.0f} s:\n{log}")

    def output(self, host: Host, *command: str) -> str:
        """Output of a command in a host; raises Failed where it fails."""
        return self.run("exec", self.container(host), *command)

    def replace_with_exec(self, host: Host, command: Sequence[str]) -> NoReturn:
        """Become a command in a host, with this process's standard streams."""
        if not self._mounts.exists():
            raise Failed("the lab is not up: bin/lab up")
        options = ["--interactive"]
        if sys.stdin.isatty() and sys.stdout.isatty():
            options += ["--tty", f"--env=TERM={os.environ.get('TERM', 'linux')}"]
        whole = self.command("exec", *options, self.container(host), *command)
        os.execvp(whole[0], whole)  # noqa: S606

    def has_image(self, tag: str) -> bool:
        done = subprocess.run(self.command("image", "exists", tag), check=False)
        return done.returncode == 0

    def images(self) -> list[str]:
        """Tags of the images in the lab's storage."""
        return self.run("images", "--format={{.Repository}}:{{.Tag}}").split()

    def tag_image(self, present: str, wanted: str) -> None:
        """Give an image another name in place of its present one."""
        self.run("tag", present, wanted)
        self.run("untag", present, present)

    def remove_image(self, tag: str) -> None:
        """Remove an image unless a container still needs it."""
        self.run("rmi", tag, check=False)

    def _runtime(self) -> str:
        # crun has to raise a limit for its device filter, which takes CAP_SYS_RESOURCE.
        wanted = "crun" if self._bounding >> _SYS_RESOURCE & 1 else "runc"
        return shutil.which(wanted) or wanted

    def forget(self) -> None:
        """Remove what podman keeps for a running system; no container may exist."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self._settings.runtime)


def _bounding_set() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapBnd:"):
            return int(line.split()[1], 16)
    return 0
