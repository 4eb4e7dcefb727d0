"""A mount namespace of the lab's own, with a cgroup v2 view, in which podman runs.

What podman mounts goes away with it, and machines whose /sys/fs/cgroup is still the
version 1 layout get the version 2 that systemd in a container needs.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from testbed.command import run

_CGROUPS = "/sys/fs/cgroup"
_PREPARE = f"""
if [ "$(stat -fc %T {_CGROUPS})" != cgroup2fs ]; then
    umount -R {_CGROUPS} && mount -t cgroup2 cgroup2 {_CGROUPS}
fi
"""

# Podman leaves the cgroups of its containers behind, empty.
_TIDY = f"rmdir {_CGROUPS}/libpod_parent/* {_CGROUPS}/libpod_parent"


class MountNamespace:
    def __init__(self, root: Path) -> None:
        self._directory = root / "ns"
        self._handle = self._directory / "mnt"

    def exists(self) -> bool:
        return _is_mount(self._handle)

    def ensure(self) -> None:
        """Create it; the mounts made outside later on, such as /run/netns/x, show up inside."""
        if self.exists():
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        if not _is_mount(self._directory):
            # A namespace can be bound only to a place that is not propagated into it.
            run(["mount", "--bind", str(self._directory), str(self._directory)])
            run(["mount", "--make-private", str(self._directory)])
        self._handle.touch()
        run(["unshare", f"--mount={self._handle}", "--propagation", "slave", "sh", "-ec", _PREPARE])

    def enter(self) -> list[str]:
        """Prefix that runs a command in it."""
        return ["nsenter", f"--mount={self._handle}", "--"]

    def remove(self) -> None:
        """Let it go, with everything that is mounted in it."""
        if self.exists():
            run([*self.enter(), "sh", "-c", _TIDY], check=False)
            run(["umount", str(self._handle)])
        if _is_mount(self._directory):
            run(["umount", str(self._directory)])
        with suppress(FileNotFoundError):
            self._handle.unlink()
        with suppress(OSError):
            self._directory.rmdir()


def _is_mount(path: Path) -> bool:
    """Whether something is mounted there; unlike os.path.ismount it sees bind mounts too."""
    wanted = os.fspath(path)
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return any(line.split()[4] == wanted for line in mounts)
