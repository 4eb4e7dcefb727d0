"""Two hosts in network namespaces, joined by one link, and what runs on them."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from testbed import link, process
from testbed.namespace import Namespace
from testbed.process import Child

UNDERLAY = {"a": "192.0.2.1", "b": "192.0.2.2"}
LINK = "wan0"
_numbers = itertools.count(1)


class Pair:
    """Hosts `a` and `b`. Named after this process; everything goes with the `with` block."""

    def __init__(self) -> None:
        self._prefix = f"nrsb{os.getpid()}x{next(_numbers)}"
        self._hosts = {host: Namespace(f"{self._prefix}-{host}") for host in UNDERLAY}
        self._children: list[Child] = []
        self._files = tempfile.TemporaryDirectory(prefix="nrs-bench-")
        self.directory = Path(self._files.name)

    def __enter__(self) -> Pair:
        try:
            for host in self._hosts.values():
                host.add()
            self._hosts["a"].batch([link.cable(LINK, LINK, self._hosts["b"].name)])
            for name, address in UNDERLAY.items():
                self._hosts[name].batch(link.up(LINK, [f"{address}/24"]))
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def unique(self, host: str) -> str:
        """An interface name that is the host's alone on this machine."""
        return f"{self._prefix.removeprefix('nrs')}{host}"[-15:]

    def host(self, name: str) -> Namespace:
        """The namespace of one of them."""
        return self._hosts[name]

    def add(self, name: str) -> Namespace:
        """One more host, which nothing joins to the others."""
        added = self._hosts[name] = Namespace(f"{self._prefix}-{name}")
        added.add()
        return added

    def widen(self, mtu: int) -> None:
        """Let packets of this many bytes pass the link."""
        for name in UNDERLAY:
            self._hosts[name].ip("link", "set", LINK, "mtu", str(mtu))

    def start(
        self,
        host: str,
        name: str,
        command: Sequence[object],
        *,
        env: Mapping[str, str] | None = None,
        conversation: bool = False,
    ) -> Child:
        """Start a process that runs until the end, as `testbed.process.start` does.

        Not where the benchmark was called: `-m` would take modules from there.
        """
        child = process.start(
            name,
            self._hosts[host].enter(*command),
            log=self.directory / f"{host}-{name}.log",
            env=env,
            cwd=Path("/"),
            conversation=conversation,
        )
        self._children.append(child)
        return child

    def check(self) -> None:
        """Raises Failed where a process has ended."""
        for child in self._children:
            child.check()

    def end(self, child: Child) -> None:
        """End one process."""
        self._children.remove(child)
        child.end()

    def _close(self) -> None:
        process.end([child.process for child in self._children])
        self._children.clear()
        for host in self._hosts.values():
            if host.exists:
                host.delete()
        self._files.cleanup()
