"""A load balancer and a controller on loopback, and agents in namespaces that have a tunnel."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any

import requests
from tests.balancer.reports import fields
from tests.balancer.test_agent import Agent as LoadBalancer
from tests.controller.process import ControllerProcess
from tests.netns.world import World

from testbed.wait import wait_until

AGENTS = Path(__file__).resolve().parents[2] / "files" / "agents"
_ROUTERS = ("router_1", "router_2", "router_3")
_ENDPOINTS = ("endpoint_1", "endpoint_2")
_REPORT_S = 5.0
_LONGEST_RUN_S = 600
_STAMP = "0a"
# Does with the agent whose process is in the file PID what systemd does with a unit.
_SYSTEMCTL = """#!/bin/sh
pid=$(cat {place}/pid)
case $1 in
    show) echo "ActiveState=active
MainPID=$pid
NRestarts=0
UnitFileState=enabled
FragmentPath={place}/unit
ExecMainStartTimestampMonotonic=0" ;;
    reload) kill -HUP "$pid" ;;
    *) echo "$1: not here" >&2; exit 1 ;;
esac
"""


class Services:
    """All of them, from `start` to `close`; what they write is below `place`."""

    def __init__(self, place: Path) -> None:
        self.place = place
        for name in ("balancer", "controller", "world", "programs"):
            (place / name).mkdir()
        self._balancer = LoadBalancer(place / "balancer")
        self._controller = ControllerProcess(place / "controller")
        self._world = World(place / "world")
        self._ended = threading.Event()
        self._reporter = threading.Thread(target=self._report_on)

    def start(self) -> None:
        """Start all, and have devices report as they do until the end."""
        # Routers report once, and the targets may take their time.
        self._balancer.write(metrics={"report_interval": _LONGEST_RUN_S})
        self._balancer.start()
        self._controller.start()
        for router in _ROUTERS:
            report = fields(router, 0.1, timestamp=time.time())
            _sent(self._balancer.url, "/metrics", report, self._balancer.bearer)
        for device in (*_ROUTERS, *_ENDPOINTS):
            self._posted("/register", registration(device))
        self._posted("/events", {"device_id": "endpoint_1", "events": [event(n) for n in (1, 2)]})
        self._report()
        self._reporter.start()
        self._world.environment["NRS_UNIT"] = _STAMP
        self._router = self._world.router("router_a")
        self._endpoint = self._world.endpoint()
        wait_until(lambda: _up(self._endpoint.tunnels()), 30, "a tunnel is up")
        self._programs()

    def told(self) -> dict[str, Any]:
        """The variables of the targets."""
        return {
            "balancer": {
                "url": self._balancer.url,
                "token": self._balancer.bearer["Authorization"].split()[1],
            },
            "controller": {
                "url": self._controller.url,
                "token": self._controller.bearer["Authorization"].split()[1],
                "registry": str(self._controller.database_file),
            },
            "endpoint": {"runtime_directory": str(self._endpoint.directory)},
            "router": {
                "runtime_directory": str(self._router.directory),
                "configuration": str(self._router.config_path),
            },
            "programs": str(self.place / "programs"),
            "place": str(self.place),
        }

    def close(self) -> None:
        """End all of them."""
        self._ended.set()
        if self._reporter.ident is not None:
            self._reporter.join(30)
        self._world.close()
        self._controller.close()
        self._balancer.close()

    def _programs(self) -> None:
        place = self.place / "programs"
        (place / "pid").write_text(str(self._router.process.pid))
        (place / "unit").write_text(f"[Service]\nEnvironment=NRS_UNIT={_STAMP}\n")
        nrs = f'#!/bin/sh\nPYTHONPATH={AGENTS} exec {sys.executable} -m nrs "$@"\n'
        systemctl = _SYSTEMCTL.format(place=place)
        for name, text in (("nrs", nrs), ("systemctl", systemctl), ("journalctl", "#!/bin/sh\n")):
            (place / name).write_text(text)
            (place / name).chmod(0o755)

    def _report_on(self) -> None:
        while not self._ended.wait(_REPORT_S):
            self._report()

    def _report(self) -> None:
        for device in (*_ROUTERS, *_ENDPOINTS):
            self._posted("/status", _status(device))

    def _posted(self, path: str, body: Any) -> None:
        _sent(self._controller.url, path, body, self._controller.bearer)


def _sent(url: str, path: str, body: Any, bearer: dict[str, str]) -> None:
    answer = requests.post(url + path, json=body, headers=bearer, timeout=30)
    assert answer.ok, answer.text


def _up(tunnels: dict[str, dict[str, Any]]) -> bool:
    return bool(tunnels.get("router_a", {}).get("active"))


def registration(device: str) -> dict[str, Any]:
    """What a device registers with; its name would be a template."""
    kind = "routing_server" if device in _ROUTERS else "network_access_endpoint"
    return {"device_id": device, "device_type": kind, "name": "{{ 6 * 7 }}"}


def _status(device: str) -> dict[str, Any]:
    tunnel = {"peer_id": "router_1", "up": True, "active": True, "since": 1.0}
    tunnels = [tunnel] if device == "endpoint_1" else []
    return {"device_id": device, "timestamp": time.time(), "tunnels": tunnels}


def event(number: int) -> dict[str, Any]:
    """A move that an endpoint posts."""
    return {
        "number": number,
        "when": float(number),
        "before": "router_2",
        "after": "router_1",
        "cause": "router_2 does not answer",
        "evidence": [],
        "rejected": {},
        "resent": 0,
        "flows_moved": 0,
    }
