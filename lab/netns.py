"""The lab's network namespaces and the links between them."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lab import plan
from lab.shell import LabError, run
from lab.topology import Host, Interface, Segment, Topology

RUN_DIRECTORY = Path("/run/netns")
BRIDGE = "br0"

# New namespaces inherit some of these from the machine, so each is stated.
_COMMON = {
    "net/ipv4/ip_forward": 0,
    "net/ipv6/conf/all/forwarding": 0,
    "net/ipv6/conf/all/disable_ipv6": 0,
    "net/ipv6/conf/default/disable_ipv6": 0,
    "net/ipv6/conf/default/accept_ra": 0,
    # No waiting for duplicate address detection, neither at the start nor after a join.
    "net/ipv6/conf/default/accept_dad": 0,
    "net/ipv6/conf/default/dad_transmits": 0,
    # A host with two uplinks sees answers on the one that its routes do not prefer.
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/default/rp_filter": 2,
}
_FORWARDING = {
    "net/ipv4/ip_forward": 1,
    "net/ipv6/conf/all/forwarding": 1,
    # The far end of a cut cable keeps its addresses, as an access router does.
    "net/ipv6/conf/all/keep_addr_on_down": 1,
    "net/ipv6/conf/default/keep_addr_on_down": 1,
}


class Network:
    """The namespaces of one lab; each method may be called again at any time."""

    def __init__(self, prefix: str, topology: Topology) -> None:
        self._prefix = prefix
        self._topology = topology

    def path(self, namespace: str) -> Path:
        return RUN_DIRECTORY / f"{self._prefix}-{namespace}"

    def exists(self, namespace: str) -> bool:
        return self.path(namespace).exists()

    def enter(self, namespace: str) -> list[str]:
        """Prefix that runs a command in a namespace; keeps /sys, which `ip netns exec` replaces."""
        return ["nsenter", f"--net={self.path(namespace)}", "--"]

    def names(self) -> list[str]:
        """Namespaces of this lab that exist, whatever the topology says."""
        if not RUN_DIRECTORY.is_dir():
            return []
        start = f"{self._prefix}-"
        return sorted(
            p.name[len(start) :] for p in RUN_DIRECTORY.iterdir() if p.name.startswith(start)
        )

    def build(self) -> int:
        """Make every namespace, link, address and route that is missing; returns how many were."""
        done = 0
        for segment in self._topology.segments:
            done += self._ensure_namespace(segment.namespace, forwards=not segment.bridged)
            done += self._ensure_bridge(segment)
        for host in self._topology.hosts:
            done += self._ensure_namespace(host.name, forwards=False)
            done += self._ensure_host(host)
        for segment in self._topology.segments:
            done += self._ensure_far_ends(segment)
        for host in self._topology.hosts:
            done += self._ensure_routes(host)
        return done

    def remove(self, keep: Iterable[str] = ()) -> None:
        """Delete the namespaces, ending what still runs in them."""
        for name in self.names():
            self._end_processes(name, spare=name in keep)
            if name not in keep:
                run(["ip", "netns", "delete", f"{self._prefix}-{name}"])
        if RUN_DIRECTORY.is_dir() and not any(RUN_DIRECTORY.iterdir()):
            # iproute2 mounts this directory on itself at its first use and never undoes it.
            run(["umount", str(RUN_DIRECTORY)], check=False)
            with suppress(OSError):
                RUN_DIRECTORY.rmdir()

    def cut(self, host: Host, interface: Interface) -> None:
        """Pull the cable: the interface stays up and keeps its addresses but loses its carrier."""
        self._set_far_end(host, interface, "down")

    def join(self, host: Host, interface: Interface) -> None:
        self._set_far_end(host, interface, "up")

    def cut_interfaces(self) -> list[tuple[Host, Interface]]:
        """The interfaces whose cable is pulled."""
        found = []
        for segment in self._topology.segments:
            if not self.exists(segment.namespace):
                continue
            down = {
                link["ifname"] for link in self._links(segment.namespace) if not plan.is_up(link)
            }
            found += [
                (host, interface)
                for host, interface in self._topology.attached(segment.name)
                if host.peer_name(interface) in down
            ]
        return found

    def _set_far_end(self, host: Host, interface: Interface, state: str) -> None:
        namespace = self._topology.segment(interface.segment).namespace
        if not self.exists(namespace):
            raise LabError("the lab is not up: bin/lab up")
        self._ip(namespace, "link", "set", host.peer_name(interface), state)

    def _ensure_namespace(self, name: str, *, forwards: bool) -> int:
        if self.exists(name):
            return 0
        run(["ip", "netns", "add", f"{self._prefix}-{name}"])
        settings = _COMMON | (_FORWARDING if forwards else {})
        assignments = [f"{key}={value}" for key, value in settings.items()]
        script = 'for a; do echo "${a#*=}" >"/proc/sys/${a%%=*}" || exit 1; done'
        run([*self.enter(name), "sh", "-c", script, "sh", *assignments])
        self._ip(name, "link", "set", "lo", "up")
        return 1

    def _ensure_bridge(self, segment: Segment) -> int:
        if not segment.bridged:
            return 0
        links = self._links(segment.namespace)
        lines = []
        if BRIDGE not in plan.names(links):
            # Snooping would drop neighbour solicitations: nothing here sends the queries it needs.
            lines.append(f"link add {BRIDGE} type bridge mcast_snooping 0 forward_delay 0")
        lines += plan.interface(links, BRIDGE, segment.addresses)
        return self._batch(segment.namespace, lines)

    def _ensure_host(self, host: Host) -> int:
        links = self._links(host.name)
        lines = []
        for interface in host.interfaces:
            if interface.name not in plan.names(links):
                self._add_link(host, interface)
            lines += plan.interface(links, interface.name, interface.addresses)
        return self._batch(host.name, lines)

    def _add_link(self, host: Host, interface: Interface) -> None:
        far = self._topology.segment(interface.segment).namespace
        peer = host.peer_name(interface)
        self._ip(
            host.name, "link", "add", interface.name, "type", "veth",
            "peer", "name", peer, "netns", f"{self._prefix}-{far}",
        )  # fmt: skip
        if self._topology.segment(interface.segment).bridged:
            self._ip(far, "link", "set", peer, "master", BRIDGE)

    def _ensure_far_ends(self, segment: Segment) -> int:
        links = self._links(segment.namespace)
        lines: list[str] = []
        for host, interface in self._topology.attached(segment.name):
            lines += plan.interface(links, host.peer_name(interface), interface.gateways)
        return self._batch(segment.namespace, lines)

    def _ensure_routes(self, host: Host) -> int:
        present = [
            route
            for family in ("-4", "-6")
            for route in self._ip_json(host.name, family, "route", "show")
        ]
        return self._batch(host.name, plan.routes(present, host.routes))

    def _end_processes(self, name: str, *, spare: bool) -> None:
        """End what runs in a namespace; ``spare``: only the idle SSH connections."""
        ours = _ancestors()
        pids = [
            int(pid)
            for pid in run(["ip", "netns", "pids", f"{self._prefix}-{name}"], check=False).split()
        ]
        pids = [pid for pid in pids if pid not in ours and (not spare or _is_ssh(pid))]
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            deadline = time.monotonic() + 2
            while pids and time.monotonic() < deadline:
                pids = [pid for pid in pids if _runs(pid)]
                time.sleep(0.02)

    def _links(self, namespace: str) -> Sequence[plan.Link]:
        return self._ip_json(namespace, "address", "show")

    def _ip_json(self, namespace: str, *arguments: str) -> list[dict[str, Any]]:
        text = self._ip(namespace, "-json", *arguments)
        return [item for item in json.loads(text or "[]") if item]

    def _ip(self, namespace: str, *arguments: str) -> str:
        return run(["ip", "-n", f"{self._prefix}-{namespace}", *arguments])

    def _batch(self, namespace: str, lines: Sequence[str]) -> int:
        if lines:
            text = "\n".join(lines) + "\n"
            run(["ip", "-n", f"{self._prefix}-{namespace}", "-batch", "-"], stdin=text)
        return len(lines)


def inside(path: Path) -> bool:
    """Whether this process is in the network namespace that ``path`` names."""
    try:
        return os.path.samestat(path.stat(), Path("/proc/self/ns/net").stat())
    except FileNotFoundError:
        return False


def _ancestors() -> set[int]:
    """This process and those that started it."""
    found = set()
    pid = os.getpid()
    while pid > 0:
        found.add(pid)
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:
            break
        pid = int(stat.rpartition(")")[2].split()[1])
    return found


def _is_ssh(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="ascii", errors="replace") == "ssh\n"
    except FileNotFoundError:
        return False


def _runs(pid: int) -> bool:
    """Whether a process exists and has not ended (a zombie waits only for its parent)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
