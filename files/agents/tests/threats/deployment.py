"""A deployment on loopback as an operator makes it: two load balancers, a controller, devices.

Keys, tokens and certificates are made by `nrs token` and `nrs ca`; the services are processes with
files of their own, TLS 1.3 and signed tokens, and the load balancers share state by Redis.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
from pathlib import Path
from typing import Any

import requests
import yaml
from click.testing import CliRunner
from testbed import process
from testbed.ports import free_port
from testbed.wait import wait_until

from nrs.api.client import ApiClient
from nrs.cli.main import main
from tests.balancer.shared_state import StateServer
from tests.serving import TIMEOUT_S
from tests.threats.attempts import report

AGENTS = Path(__file__).resolve().parents[2]
ENDPOINTS = {"endpoint_1": "10.10.0.1", "endpoint_2": "10.10.0.2"}
ROUTERS = {"router_1": "10.10.1.1", "router_2": "10.10.1.2"}


class Service:
    """A running one; `directory` has all that its host has of it."""

    def __init__(self, deployment: Deployment, name: str, address: str, section: str) -> None:
        self.name = name
        self.address = address
        self.url = f"https://{address}:{free_port()}"
        self.directory = deployment.directory / name
        self.state = self.directory / "state"
        self.state.mkdir(parents=True)
        self._command = "load-balancer" if section == "server" else "network-controller"
        self.file = self.directory / f"{self._command.replace('-', '_')}.yaml"
        self._section = section
        self._deployment = deployment
        self._child: process.Child | None = None

    def configure(self, peers: list[str], **sections: Any) -> None:
        """Write its files."""
        made = self._deployment
        made.nrs("ca", "issue", self.url)
        made.tokens("service", self.name, self.directory / "tokens", peers)
        host, _, port = self.url.removeprefix("https://").rpartition(":")
        own = f"certificates/{host}-{port}"
        config = {
            self._section: {"bind_address": host, "bind_port": int(port)},
            "api": {
                "token_file": made.copied("tokens", self.directory, self.directory / "tokens"),
                "signers_file": made.copied("public_keys", self.directory),
                "certificate_file": made.copied(f"{own}.pem", self.directory),
                "key_file": made.copied(f"{own}.key", self.directory),
                "ca_file": made.copied("ca.pem", self.directory),
                "urls": [self.url],
                "peers": peers,
            },
            **sections,
        }
        self.file.touch(mode=0o600)
        self.file.write_text(yaml.safe_dump(config), encoding="ascii")

    def start(self) -> None:
        """Start it, and wait until it serves."""
        command = [sys.executable, "-m", "nrs", self._command, "--config", self.file]
        self._child = process.start(
            self.name,
            command,
            log=self.directory / "log",
            cwd=AGENTS,
            env={
                **os.environ,
                "STATE_DIRECTORY": str(self.state),
                "NRS_RUNTIME_DIRECTORY": str(self.directory / "run"),
            },
        )
        host, _, port = self.url.removeprefix("https://").rpartition(":")

        def serves() -> bool:
            try:
                socket.create_connection((host, int(port))).close()
            except ConnectionRefusedError:
                return False
            return True

        self._child.wait_until(serves, TIMEOUT_S, f"{self.name} serves")

    def end(self) -> None:
        if self._child is not None:
            self._child.end()

    @property
    def said(self) -> str:
        """Its log."""
        return "" if self._child is None else self._child.said


class Deployment:
    """Everything, with two honest endpoints and routers."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.secrets = directory / "secrets"
        self.ca_file = self.secrets / "ca.pem"
        self.nrs("token", "keys")
        self.nrs("ca", "init")
        store = directory / "store"
        store.mkdir()
        self.store = StateServer(store)
        self.balancer = Service(self, "lb1", "127.0.0.2", "server")
        self.sibling = Service(self, "lb2", "127.0.0.3", "server")
        self.controller = Service(self, "controller", "127.0.0.4", "controller")
        self.services = [self.balancer, self.sibling, self.controller]
        self.urls = [service.url for service in self.services]
        shared = {"url": self.store.url}
        for service in self.services:
            peers = [url for url in self.urls if url != service.url]
            of_its_own = {} if service is self.controller else {"state": shared}
            service.configure(peers, **of_its_own)

    def start(self) -> None:
        """Start all, and have the devices report and register."""
        self.store.start()
        for service in self.services:
            service.start()
        self.operator = self.tokens("operator", "ann", None, self.urls)
        self.devices = {
            name: self.tokens(kind, name, self.directory / name / "tokens", self.urls, address)
            for kind, named in (("endpoint", ENDPOINTS), ("router", ROUTERS))
            for name, address in named.items()
        }
        for name in ROUTERS:
            self.as_device(name, self.balancer).post("/metrics", report(name, 10.0))
            self.as_device(name, self.sibling).post("/metrics", report(name, 10.0))
        for name in ENDPOINTS:
            self.as_device(name, self.balancer).get(f"/decision/{name}")
        for name in (*ENDPOINTS, *ROUTERS):
            kind = "routing_server" if name in ROUTERS else "network_access_endpoint"
            body = {"device_id": name, "device_type": kind, "name": name}
            self.as_device(name, self.controller).post("/register", body)
        shared = len(ENDPOINTS)
        self.wait(lambda: self.seen(self.sibling, "/decisions")["total"] == shared, "it is shared")

    def end(self) -> None:
        for service in self.services:
            service.end()
        self.store.kill()

    def endpoint_file(self, name: str) -> Path:
        """What an endpoint's disk has."""
        directory = self.directory / name
        key = directory / "device_key"
        key.touch(mode=0o600)
        key.write_text(secrets.token_hex(32), encoding="ascii")
        config = {
            "endpoint": {"endpoint_id": name, "name": name},
            "tunnel": {"device_key_file": str(key), "tun_ipv4": ENDPOINTS[name]},
            "routers": [{"router_id": "router_1", "external_ip": "192.0.2.2"}],
            "load_balancer": {"url": [self.balancer.url, self.sibling.url]},
            "network_controller": {"url": [self.controller.url]},
            "api": {
                "token_file": str(directory / "tokens"),
                "ca_file": self.copied("ca.pem", directory),
            },
        }
        file = directory / "network_access_endpoint.yaml"
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump(config), encoding="ascii")
        return file

    def nrs(self, *words: object) -> str:
        """What `nrs` prints on the control node."""
        group, command, *rest = map(str, words)
        line = [group, command, "--directory", str(self.secrets), *rest]
        done = CliRunner().invoke(main, line, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    def tokens(
        self, role: str, name: str, file: Path | None, urls: list[str], address: str | None = None
    ) -> dict[str, str]:
        """Tokens for these services by URL, in a file too if one is named."""
        person = role in {"operator", "monitor"}
        who = ("--name", name, "--expires", "1h") if person else ("--id", name)
        made = {}
        for url in urls:
            words = ["token", "create", "--role", role, *who, "--service", url]
            words += [] if address is None else ["--tun-ipv4", address]
            made[url] = self.nrs(*words).strip()
        if file is not None:
            file.parent.mkdir(exist_ok=True)
            file.touch(mode=0o600)
            file.write_text("".join(f"{token}\n" for token in made.values()), encoding="ascii")
        return made

    def copied(self, name: str, directory: Path, file: Path | None = None) -> str:
        """The path of what a play would bring into the directory."""
        if file is None:
            file = directory / Path(name).name
            file.touch(mode=0o600)
            file.write_bytes((self.secrets / name).read_bytes())
        return str(file)

    def as_device(self, name: str, service: Service) -> ApiClient:
        return ApiClient([service.url], self.devices[name], self.ca_file)

    def seen(self, service: Service, path: str) -> Any:
        """What an operator reads."""
        return ApiClient([service.url], self.operator, self.ca_file).get(path)

    def put(self, service: Service, path: str, body: Any) -> requests.Response:
        """What an operator changes."""
        headers = {"Authorization": f"Bearer {self.operator[service.url]}"}
        url, verify = service.url + path, str(self.ca_file)
        return requests.put(url, json=body, headers=headers, verify=verify, timeout=TIMEOUT_S)

    def revoke(self, *words: object, told: list[str] | None = None) -> None:
        """Revoke, and send it to services; to every one where none are named."""
        urls = self.urls if told is None else told
        self.nrs("token", "revoke", *words, *(word for url in urls for word in ("--service", url)))

    def number(self, service: Service) -> int:
        """Of the list of revocations that a service goes by."""
        found: int = self.seen(service, "/revocations")["number"]
        return found

    def wait(self, condition: Any, what: str) -> None:
        wait_until(condition, TIMEOUT_S, what, every=0.1)
