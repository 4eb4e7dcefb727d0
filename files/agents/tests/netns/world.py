"""A small internet in network namespaces: one endpoint, two routers, a business server.

    endpoint  up0 --- wan0  router_a  egress0 ---+
              up1 --- wan0  router_b  egress0 ---+--- business 198.51.100.10

Everything is named after the test process and goes with `close`.
"""

from __future__ import annotations

import base64
import ctypes
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.netns.manager import Manager

AGENTS = Path(__file__).resolve().parents[2]
UNDERLAY6 = {
    "router_a": ("2001:db8:a::1", "2001:db8:a::2"),
    "router_b": ("2001:db8:b::1", "2001:db8:b::2"),
}
UNDERLAY4 = {"router_a": ("192.0.2.1", "192.0.2.2"), "router_b": ("192.0.2.5", "192.0.2.6")}
UPLINK = {"router_a": "up0", "router_b": "up1"}
BUSINESS = ("198.51.100.10", "2001:db8:100::10")
ROUTER_TUN = {"router_a": ("10.10.1.1", "fd00:10:1::1"), "router_b": ("10.10.2.1", "fd00:10:2::1")}
ENDPOINT_TUN = ("10.10.100.1", "fd00:10:100::1")
_CLONE_NEWNET = 0x40000000


def run(*command: str, check: bool = True, timeout: float = 30) -> subprocess.CompletedProcess[str]:
    """A command to its end, its output captured."""
    return subprocess.run(command, check=check, capture_output=True, text=True, timeout=timeout)


def wait_until(condition: Callable[[], Any], timeout: float, what: str) -> Any:
    """Poll until `condition` is true; fails the test after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.02)


class Agent:
    """An agent in the foreground of a namespace."""

    def __init__(
        self, world: World, host: str, command: str, unit: str, config: dict[str, Any]
    ) -> None:
        self._world = world
        self.host = host
        self.unit = unit
        self.directory = world.directory / host
        self.directory.mkdir(exist_ok=True)
        self.config_path = self.directory / f"{unit}.yaml"
        self.log_path = self.directory / "log"
        self._command = command
        self.manager = Manager(self.directory) if world.managed else None
        self.write(config)
        self.process = self._start()

    def write(self, config: dict[str, Any]) -> None:
        """At once, as Ansible does: an agent that reloads meanwhile sees the old or the new one."""
        self.config = config
        written = self.config_path.with_suffix(".new")
        written.write_text(yaml.safe_dump(config), encoding="utf-8")
        written.replace(self.config_path)

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "nrs", self._command, "--config", str(self.config_path)]
        fds: tuple[int, ...] = ()
        environment = self._environment()
        if self.manager is not None:
            command, fds, more = self.manager.launch(*command)
            environment |= more
        with self.log_path.open("ab") as log:
            return self._world.popen(
                self.host, *command, stdout=log, stderr=log, env=environment, pass_fds=fds
            )

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **self._world.environment,
            "NRS_RUNTIME_DIRECTORY": str(self.directory),
            "PYTHONPATH": os.pathsep.join([str(AGENTS), os.environ.get("PYTHONPATH", "")]),
        }

    def status(self) -> dict[str, Any]:
        """What the agent says of itself; empty while it does not answer."""
        from nrs.system import control  # noqa: PLC0415

        try:
            return dict(control.request(self.directory / f"{self.unit}.sock", "status"))
        except control.ControlError:
            return {}

    def command(self, name: str, **arguments: Any) -> Any:
        from nrs.system import control  # noqa: PLC0415

        return control.request(self.directory / f"{self.unit}.sock", name, **arguments)

    def tunnels(self) -> dict[str, dict[str, Any]]:
        """Tunnels by the id of the other end."""
        return {
            t.get("router_id") or t.get("endpoint_id"): t for t in self.status().get("tunnels", [])
        }

    @property
    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.process.terminate()
        return self.process.wait(10)

    def start(self) -> None:
        self.process = self._start()

    def restart(self) -> None:
        """As systemd restarts a unit: it says so, ends the process and starts another one."""
        assert self.command("stopping", restarting=True)["restarting"]
        assert self.stop() == 0
        self.start()

    def close(self) -> None:
        """Let go of what is kept of it."""
        if self.manager is not None:
            self.manager.close()
            self.manager = None


class World:
    """The namespaces, and what runs in them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment: dict[str, str] = {}
        """What agents that are started from now on get in their environment."""
        self.managed = False
        """Whether descriptors of agents that are made from now on outlive their processes."""
        self._agents: list[Agent] = []
        self.psk = base64.b64encode(secrets.token_bytes(32)).decode()
        self._prefix = f"nrst{os.getpid()}"
        self._processes: list[subprocess.Popen[bytes]] = []
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def netns(self, host: str) -> str:
        return f"{self._prefix}-{host}"

    def ip(self, host: str, *arguments: str) -> None:
        run("ip", "-n", self.netns(host), *arguments)

    def exec(
        self, host: str, *command: str, check: bool = True, timeout: float = 30
    ) -> subprocess.CompletedProcess[str]:
        return run("ip", "netns", "exec", self.netns(host), *command, check=check, timeout=timeout)

    def popen(self, host: str, *command: str, **options: Any) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(["ip", "netns", "exec", self.netns(host), *command], **options)
        self._processes.append(process)
        return process

    @contextmanager
    def inside(self, host: str) -> Iterator[None]:
        """The calling thread is in the host's namespace; what it opens there stays there."""
        libc = ctypes.CDLL(None, use_errno=True)
        with (
            Path("/proc/thread-self/ns/net").open("rb") as home,
            Path(f"/run/netns/{self.netns(host)}").open("rb") as there,
        ):
            if libc.setns(there.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns", host)
            try:
                yield
            finally:
                libc.setns(home.fileno(), _CLONE_NEWNET)

    def socket(self, host: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket of this process in the host's namespace; gives up after 20 s."""
        with self.inside(host):
            opened = socket.socket(family, kind, protocol)
        opened.settimeout(20)
        return opened

    def host(self, name: str) -> None:
        """One more host, with nothing but a loopback."""
        run("ip", "netns", "add", self.netns(name))
        self.ip(name, "link", "set", "lo", "up")

    def _build(self) -> None:
        for host in ("endpoint", "router_a", "router_b", "business"):
            self.host(host)
        self.ip("business", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        self.ip("business", "link", "set", "br0", "up")
        for index, router in enumerate(("router_a", "router_b"), 1):
            up = UPLINK[router]
            self.link(("endpoint", up), (router, "wan0"))
            for addresses, bits in ((UNDERLAY6[router], 64), (UNDERLAY4[router], 30)):
                self.address("endpoint", up, f"{addresses[0]}/{bits}")
                self.address(router, "wan0", f"{addresses[1]}/{bits}")
            self.link((router, "egress0"), ("business", f"r{index}"))
            self.ip("business", "link", "set", f"r{index}", "master", "br0")
            self.address(router, "egress0", f"198.51.100.{index}/24")
            self.address(router, "egress0", f"2001:db8:100::{index}/64")
        self.address("business", "br0", f"{BUSINESS[0]}/24")
        self.address("business", "br0", f"{BUSINESS[1]}/64")

    def link(self, a: tuple[str, str], b: tuple[str, str], *, index: int | None = None) -> None:
        """A cable between two hosts: (host, interface) at both ends, perhaps of one index."""
        number = [] if index is None else ["index", str(index)]
        run(
            *("ip", "link", "add", a[1], *number, "netns", self.netns(a[0]), "type", "veth"),
            *("peer", "name", b[1], *number, "netns", self.netns(b[0])),
        )
        for host, name in (a, b):
            self.ip(host, "link", "set", name, "up")

    def address(self, host: str, interface: str, address: str) -> None:
        extra = ["nodad"] if ":" in address else []
        self.ip(host, "addr", "add", address, "dev", interface, *extra)

    def router(self, name: str, **changes: Any) -> Agent:
        tun4, tun6 = ROUTER_TUN[name]
        config = {
            "server": {
                "server_id": name,
                "name": name,
                "tunnel_id": 1,
                "egress_interface": "egress0",
                "external_ip": UNDERLAY6[name][1],
            },
            "tunnel": {"psk": self.psk, "tun_ipv4": f"{tun4}/16", "tun_ipv6": f"{tun6}/32"},
            "load_balancer": {"url": "http://127.0.0.1:8080"},
        }
        _merge(config, changes)
        return self._agent(name, "routing-server", "routing_server", config)

    def _agent(self, host: str, command: str, unit: str, config: dict[str, Any]) -> Agent:
        self._agents.append(Agent(self, host, command, unit, config))
        return self._agents[-1]

    def endpoint(self, *, underlay: int = 6, **changes: Any) -> Agent:
        addresses = UNDERLAY6 if underlay == 6 else UNDERLAY4
        config = {
            "endpoint": {"endpoint_id": "endpoint_1", "name": "one"},
            "tunnel": {
                "psk": self.psk,
                "tun_ipv4": ENDPOINT_TUN[0],
                "tun_ipv6": ENDPOINT_TUN[1],
                "routes": ["10.10.0.0/16", "fd00:10::/32", "198.51.100.0/24", "2001:db8:100::/64"],
            },
            "routers": [
                {"router_id": name, "external_ip": far, "bind_address": near}
                for name, (near, far) in addresses.items()
            ],
            "load_balancer": {"url": "http://127.0.0.1:8080"},
        }
        _merge(config, changes)
        command, unit = "network-access-endpoint", "network_access_endpoint"
        return self._agent("endpoint", command, unit, config)

    def ping(self, address: str, count: int = 3) -> bool:
        """Whether all pings from the endpoint come back; patient, as the machine may be busy."""
        result = self.exec(
            "endpoint", "ping", "-q", "-c", str(count), "-i", "0.1", "-W", "5", address, check=False
        )
        return f" {count} received" in result.stdout

    def blackhole(self, router: str) -> None:
        """Silently drop all that the underlay brings to the router, and all that it sends there."""
        rules = (
            "add table inet blackhole;"
            "add chain inet blackhole i { type filter hook prerouting priority -400; };"
            "add chain inet blackhole o { type filter hook output priority -400; };"
            "add rule inet blackhole i iifname wan0 drop;"
            "add rule inet blackhole o oifname wan0 drop"
        )
        self.exec(router, "nft", rules)

    def unblackhole(self, router: str) -> None:
        self.exec(router, "nft", "delete table inet blackhole")

    def close(self) -> None:
        """End every process that this world has started and remove the namespaces.

        The agents' logs are printed: pytest shows them where a test has failed.
        """
        for log in sorted(self.directory.glob("*/log")):
            print(f"--- {log.parent.name}\n{log.read_text(encoding='utf-8')}")
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for agent in self._agents:
            agent.close()
        listing = json.loads(run("ip", "-j", "netns", "list").stdout or "[]")
        for entry in listing:
            if entry["name"].startswith(f"{self._prefix}-"):
                run("ip", "netns", "del", entry["name"])


def _merge(config: dict[str, Any], changes: dict[str, Any]) -> None:
    for section, value in changes.items():
        if isinstance(value, dict):
            config.setdefault(section, {}).update(value)
        else:
            config[section] = value
