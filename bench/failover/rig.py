"""The lab as the benchmark handles it, with everything ready that the moment of a fault needs."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from lab.network import Network
from lab.podman import Podman
from lab.settings import Settings
from lab.topology import INTERNET, Host, Interface, lab
from testbed import proc
from testbed.failed import Failed
from testbed.netlink import Netlink

ENDPOINT, BUSINESS, BALANCER = "endpoint_1", "business", "lb"
ENDPOINT_UNIT, ROUTER_UNIT = "network_access_endpoint", "routing_server"
CONFIGURATION = "etc/network-routing-system"
_DONE = "__done__"


class Process:
    """The process that has this number now, and no later one."""

    def __init__(self, pid: int) -> None:
        self._descriptor = os.pidfd_open(pid)

    def __del__(self) -> None:
        os.close(self._descriptor)

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens where the process has ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, number)


class Shell:
    """A shell that waits in a host, so that a command costs no start of a container's process."""

    def __init__(self, command: list[str], host: str) -> None:
        self._host = host
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.run("true", 30)

    def run(self, command: str, limit: float = 60) -> str:
        """What a command printed; it has to end well within `limit` seconds. Raises Failed."""
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answers is not None
        with suppress(BrokenPipeError):
            asked.write(f"( {command} ) </dev/null 2>&1; echo {_DONE}$?\n".encode())
            asked.flush()
        deadline = time.monotonic() + limit
        said = b""
        while not (end := re.search(rf"{_DONE}(\d+)\n".encode(), said)):
            ready, _, _ = select.select([answers], [], [], max(0.0, deadline - time.monotonic()))
            more = os.read(answers.fileno(), 65536) if ready else b""
            if not more:
                why = "the shell has ended" if ready else f"not finished after {limit:g} s"
                raise Failed(f"{self._host}: {command}: {why}\n{said.decode(errors='replace')}")
            said += more
        text = said[: end.start()].decode(errors="replace")
        if end.group(1) != b"0":
            raise Failed(f"{self._host}: {command}: exit {end.group(1).decode()}\n{text}")
        return text

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Rig:
    """A lab that is up. Raises Failed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.topology = lab()
        self.network = Network(settings.name, self.topology)
        self.podman = Podman(settings)
        self._links: dict[str, Netlink] = {}
        self._shells: dict[str, Shell] = {}
        self._inits: dict[str, int] = {}
        self.business = self._address(BUSINESS, "egress", 4)

    def close(self) -> None:
        """Let go of everything; the lab stays as it is."""
        for shell in self._shells.values():
            shell.close()
        for link in self._links.values():
            link.close()
        self._shells.clear()
        self._links.clear()

    def host(self, name: str) -> Host:
        return self.topology.host(name)

    def netlink(self, name: str) -> Netlink:
        """To the namespace of a host or a segment."""
        if name not in self._links:
            self._links[name] = Netlink(self.network.namespace(name))
        return self._links[name]

    def segment(self, name: str) -> Netlink:
        """To the namespace that a segment is kept in."""
        return self.netlink(self.topology.segment(name).namespace)

    def shell(self, host: str) -> Shell:
        """Waiting in a host."""
        if host not in self._shells:
            container = self.podman.container(self.host(host))
            command = self.podman.command("exec", "--interactive", container, "sh")
            self._shells[host] = Shell(command, host)
        return self._shells[host]

    def forget(self, host: str) -> None:
        """A host went down: whatever waited in it is gone."""
        if host in self._shells:
            self._shells.pop(host).close()
        self._inits.pop(host, None)

    def init(self, host: str) -> int:
        """Process id of a host's init, on this machine."""
        if host not in self._inits:
            name = self.podman.container(self.host(host))
            said = self.podman.run("inspect", "--format={{.State.Pid}}", name).strip()
            if said in ("", "0"):
                raise Failed(f"{host} is not running")
            self._inits[host] = int(said)
        return self._inits[host]

    def file(self, host: str, path: str) -> Path:
        """A file of a host, as this machine sees it; `path` without its leading slash."""
        return Path(f"/proc/{self.init(host)}/root") / path

    def agent(self, host: str, unit: str) -> int:
        """Main process of an agent, on this machine; 0 where it does not run."""
        init, word = self.init(host), unit.replace("_", "-").encode()
        for found in proc.present():
            if found.parent == init:
                with suppress(OSError):
                    words = Path(f"/proc/{found.pid}/cmdline").read_bytes().split(b"\0")
                    if word in words:
                        return found.pid
        return 0

    def status(self) -> dict[str, Any]:
        """What the measured endpoint says of itself, in well under a millisecond."""
        place = f"run/network-routing-system/{ENDPOINT_UNIT}/{ENDPOINT_UNIT}.sock"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(5)
            sock.connect(str(self.file(ENDPOINT, place)))
            sock.sendall(b'{"command": "status"}\n')
            data = b""
            while not data.endswith(b"\n"):
                more = sock.recv(65536)
                if not more:
                    break
                data += more
        result: dict[str, Any] = json.loads(data)["result"]
        return result

    def active(self) -> str | None:
        """The router that the endpoint's traffic goes through."""
        found = [t["router_id"] for t in self.status()["tunnels"] if t["active"]]
        return found[0] if found else None

    def routers(self) -> list[str]:
        """Those to which the endpoint has tunnels, by name."""
        return sorted(tunnel["router_id"] for tunnel in self.status()["tunnels"])

    def healthy(self) -> bool:
        """Whether the endpoint has two tunnels that work."""
        return sum(bool(tunnel["up"]) for tunnel in self.status()["tunnels"]) == 2

    def uplink(self, router: str) -> Interface:
        """The endpoint's interface that the tunnel to a router leaves from."""
        address = self._local(router)
        for interface in self.host(ENDPOINT).interfaces:
            if address in interface.plain_addresses:
                return interface
        raise Failed(f"{ENDPOINT}: no uplink of its own for the tunnel to {router}")

    def tunnel_address(self, router: str) -> str:
        """The uplink's address that the tunnel to a router leaves from, with prefix length."""
        interface = self.uplink(router)
        return interface.addresses[interface.plain_addresses.index(self._local(router))]

    def tunnel_ends(self, router: str) -> tuple[str, str]:
        """The endpoint's and the router's address of a tunnel."""
        own = self._local(router)
        for interface in self.host(router).on(INTERNET):
            for address in interface.plain_addresses:
                if (":" in address) == (":" in own):
                    return own, address
        raise Failed(f"{router} has no address of {own}'s family")

    def process(self, host: str, unit: str) -> Process:
        """An agent's main process."""
        pid = self.agent(host, unit)
        if not pid:
            raise Failed(f"{host}: {unit} does not run")
        return Process(pid)

    def init_process(self, host: str) -> Process:
        """A host's init, with which all its processes end."""
        return Process(self.init(host))

    def boot(self, host: str, seconds: float) -> None:
        """Bring a host up again whose init was killed. Raises Failed."""
        self.forget(host)
        deadline = time.monotonic() + seconds
        # Podman restarts by itself what has ended; it is asked to where it has given up.
        while time.monotonic() < deadline:
            container = self.podman.containers()[host]
            if container.running:
                break
            with suppress(Failed):
                self.podman.restart(self.host(host))
        self.podman.wait_until_booted(self.host(host), max(1.0, deadline - time.monotonic()))

    def _local(self, router: str) -> str:
        """Raises Failed."""
        path = self.file(ENDPOINT, f"{CONFIGURATION}/{ENDPOINT_UNIT}.yaml")
        found = bind_addresses(path.read_text(encoding="utf-8"))
        if router not in found:
            raise Failed(f"{ENDPOINT}: no bind_address for the tunnel to {router}")
        return found[router]

    def _address(self, host: str, segment: str, family: int) -> str:
        for interface in self.host(host).on(segment):
            for address in interface.plain_addresses:
                if (":" in address) == (family == 6):
                    return address
        raise Failed(f"{host} has no IPv{family} address on {segment}")


def bind_addresses(text: str) -> dict[str, str]:
    """The local address of each tunnel in an endpoint's configuration, by router."""
    found: dict[str, str] = {}
    router = ""
    for line in text.splitlines():
        if match := re.match(r'\s*(?:- )?(router_id|bind_address): "?([^"\s]+)"?', line):
            key, value = match.groups()
            if key == "router_id":
                router = value
            elif router:
                found[router] = value
    return found
