"""A small internet in network namespaces: one endpoint, two routers, a business server.

    endpoint  up0 --- wan0  router_a  egress0 ---+
              up1 --- wan0  router_b  egress0 ---+--- business 198.51.100.10

Everything is named after the test process and goes with `close`.
"""

from __future__ import annotations

import base64
import os
import secrets
import socket
import subprocess
import sys
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import yaml
from testbed import link, proc, process
from testbed.command import run
from testbed.namespace import Namespace, existing

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
        command = [*self._world.wrapper, *command]
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
    def companion(self) -> int | None:
        """Its companion's process, once it is there and runs its own program."""
        for pid in proc.family(self.process.pid)[1:]:
            with suppress(OSError):  # it may end at once
                words = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0")
                if any(word.endswith(".reporter") for word in words):
                    return pid
        return None

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
        self.wrapper: tuple[str, ...] = ()
        """The command that runs agents that are started from now on."""
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

    def netns(self, host: str) -> Namespace:
        """A host's namespace."""
        return Namespace(f"{self._prefix}-{host}")

    def ip(self, host: str, *words: str) -> str:
        return self.netns(host).ip(*words)

    def exec(self, host: str, *command: str, check: bool = True) -> str:
        """What a command prints on a host."""
        return run(self.netns(host).enter(*command), check=check)

    def popen(self, host: str, *command: str, **options: Any) -> subprocess.Popen[bytes]:
        """A command on a host that goes on."""
        started = subprocess.Popen(self.netns(host).enter(*command), **options)
        self._processes.append(started)
        return started

    def inside(self, host: str) -> AbstractContextManager[None]:
        """The calling thread is in the host's namespace; what it opens there stays there."""
        return self.netns(host).inside()

    def socket(self, host: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket of this process in the host's namespace; gives up after 20 s."""
        opened = self.netns(host).socket(family, kind, protocol)
        opened.settimeout(20)
        return opened

    def host(self, name: str) -> None:
        """One more host, with nothing but a loopback."""
        self.netns(name).add()

    def _build(self) -> None:
        for host in ("endpoint", "router_a", "router_b", "business"):
            self.host(host)
        addresses = (f"{BUSINESS[0]}/24", f"{BUSINESS[1]}/64")
        self.netns("business").batch([link.bridge("br0"), *link.up("br0", addresses)])
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

    def link(self, a: tuple[str, str], b: tuple[str, str], *, index: int | None = None) -> None:
        """A cable between two hosts: (host, interface) at both ends, perhaps of one index."""
        near, far = self.netns(a[0]), self.netns(b[0])
        near.batch([link.cable(a[1], b[1], far.name, index=index), *link.up(a[1])])
        far.batch(link.up(b[1]))

    def address(self, host: str, interface: str, address: str) -> None:
        self.netns(host).batch([link.address(address, interface)])

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

    def agent(self, host: str) -> Agent:
        """The agent of a host, the one made last."""
        return next(agent for agent in reversed(self._agents) if agent.host == host)

    def _agent(self, host: str, command: str, unit: str, config: dict[str, Any]) -> Agent:
        self._agents.append(Agent(self, host, command, unit, config))
        return self._agents[-1]

    def endpoint(self, *, host: str = "endpoint", underlay: int = 6, **changes: Any) -> Agent:
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
        return self._agent(host, command, unit, config)

    def ping(self, address: str, count: int = 3) -> bool:
        """Whether all pings from the endpoint come back; patient, as the machine may be busy."""
        said = self.exec(
            "endpoint", "ping", "-q", "-c", str(count), "-i", "0.1", "-W", "5", address, check=False
        )
        return f" {count} received" in said

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
        process.end(self._processes)
        for agent in self._agents:
            agent.close()
        for namespace in existing(f"{self._prefix}-"):
            namespace.delete()


def _merge(config: dict[str, Any], changes: dict[str, Any]) -> None:
    for section, value in changes.items():
        if isinstance(value, dict):
            config.setdefault(section, {}).update(value)
        else:
            config[section] = value
