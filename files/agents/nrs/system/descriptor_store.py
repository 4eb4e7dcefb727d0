"""Descriptors that outlive the process, in systemd's file descriptor store.

What is kept there comes back by name to the unit's next process, after a restart and after
a crash; the kernel objects behind it (a TUN device, what waits in a socket) live on in
between. systemd.service(5), FileDescriptorStoreMax; sd_notify(3), FDSTORE; sd_listen_fds(3).
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

from nrs.system import systemd

_FIRST = 3
_LONGEST_NAME = 255


class DescriptorStore:
    """What an earlier process has kept, and what this one keeps; nothing outside systemd."""

    def __init__(self, inherited: dict[str, int]) -> None:
        self._inherited = inherited
        self._kept: set[str] = set(inherited)

    @classmethod
    def of_process(cls, environ: MutableMapping[str, str] = os.environ) -> DescriptorStore:
        """What this process has inherited; its children do not."""
        count = int(environ.pop("LISTEN_FDS", "0"))
        names = environ.pop("LISTEN_FDNAMES", "").split(":")
        if environ.pop("LISTEN_PID", "") != str(os.getpid()):
            return cls({})
        inherited = dict(zip(names, range(_FIRST, _FIRST + count), strict=False))
        for fd in range(_FIRST, _FIRST + count):
            os.set_inheritable(fd, False)
            if fd not in inherited.values():
                os.close(fd)
        return cls(inherited)

    @property
    def available(self) -> bool:
        """Whether what is kept will outlive this process."""
        return systemd.is_listening()

    def inherited(self, beginning: str) -> list[str]:
        """The names that begin so of what was kept and is not taken yet."""
        return [name for name in self._inherited if name.startswith(beginning)]

    def take(self, name: str) -> int | None:
        """The descriptor that was kept under `name`, for the caller to own; None where none was."""
        return self._inherited.pop(name, None)

    def keep(self, name: str, fd: int) -> None:
        """Keep a duplicate of `fd` under `name`, instead of what was kept under it before."""
        if not name.isascii() or not name.isprintable() or ":" in name or len(name) > _LONGEST_NAME:
            raise ValueError(f"not a name of a descriptor: {name!r}")
        if name in self._kept:
            self.drop(name)
        self._kept.add(name)
        # Without FDPOLL=0 systemd would close a socket as soon as an ICMP error waits in it.
        systemd.notify("FDSTORE=1", f"FDNAME={name}", "FDPOLL=0", descriptor=fd)

    def drop(self, name: str) -> None:
        """Keep what is under `name` no longer."""
        fd = self._inherited.pop(name, None)
        if fd is not None:
            os.close(fd)
        if name in self._kept:
            self._kept.remove(name)
            systemd.notify("FDSTOREREMOVE=1", f"FDNAME={name}")

    def drop_now(self, name: str) -> None:
        """As `drop`, and wait until it is gone: a port, for instance, can be used again."""
        self.drop(name)
        systemd.barrier()

    def drop_untaken(self) -> None:
        """Let go of what an earlier process has kept and this one has no use for."""
        for name in list(self._inherited):
            self.drop(name)

    def drop_all(self) -> None:
        """Keep nothing any more: the unit is being stopped for good."""
        for name in list(self._kept):
            self.drop(name)
