"""Everything that can be asked of the two services, in the name of everybody that is known."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

BALANCER, CONTROLLER = "load balancer", "controller"
_TYPES = {"a router": "routing_server", "an endpoint": "network_access_endpoint"}


@dataclass(frozen=True)
class Attempt:
    """One request, and what it is called; WORDS in that stand for names."""

    what: str
    method: str
    path: str
    body: Any = None


def attempts(service: str, names: Mapping[str, str], addresses: Mapping[str, str]) -> list[Attempt]:
    """For the service; `names` has what each WORD stands for, `addresses` some tunnel addresses."""
    shared = [
        Attempt("GET /health", "GET", "/health"),
        Attempt("GET /metrics", "GET", "/metrics"),
        Attempt("GET /openapi.json", "GET", "/openapi.json"),
        Attempt("GET /revocations", "GET", "/revocations"),
        Attempt("PUT /revocations", "PUT", "/revocations", {"revocations": "e30.e30." + "A" * 86}),
    ]
    own = _of_the_balancer(names) if service == BALANCER else _of_the_controller(names, addresses)
    return [*shared, *own]


def _of_the_balancer(names: Mapping[str, str]) -> Iterator[Attempt]:
    for word, name in names.items():
        yield Attempt(f"POST /metrics as {word}", "POST", "/metrics", report(name))
        yield Attempt(f"GET /decision/{word}", "GET", f"/decision/{name}")
        yield Attempt(f"GET /explain/{word}", "GET", f"/explain/{name}")
        state = {"state": "draining"}
        yield Attempt(f"PUT /servers/{word}/state", "PUT", f"/servers/{name}/state", state)
    for path in ("/decisions", "/status", "/algorithm"):
        yield Attempt(f"GET {path}", "GET", path)
    yield Attempt("PUT /algorithm", "PUT", "/algorithm", {"max_connections": 1})


def _of_the_controller(names: Mapping[str, str], addresses: Mapping[str, str]) -> Iterator[Attempt]:
    for word, name in names.items():
        for kind, device_type in _TYPES.items():
            who = {"device_id": name, "device_type": device_type, "name": name}
            yield Attempt(f"POST /register as {word}, {kind}", "POST", "/register", who)
            for whose, address in addresses.items():
                what = f"POST /register as {word}, {kind} with the address of {whose}"
                yield Attempt(what, "POST", "/register", {**who, "tun_ipv4": address})
        said = {"device_id": name, "timestamp": time.time()}
        yield Attempt(f"POST /status as {word}", "POST", "/status", said)
        yield Attempt(f"POST /config as {word}", "POST", "/config", {"device_id": name})
        moved = {"device_id": name, "events": [_move()]}
        yield Attempt(f"POST /events as {word}", "POST", "/events", moved)
        yield Attempt(f"GET /device/{word}", "GET", f"/device/{name}")
        yield Attempt(f"GET /events?device_id={word}", "GET", f"/events?device_id={name}")
        pushed = {"config": {"load_balancer": {"use": False}}}
        yield Attempt(f"POST /push_config/{word}", "POST", f"/push_config/{name}", pushed)
        yield Attempt(f"DELETE /device/{word}", "DELETE", f"/device/{name}")
        yield Attempt(f"POST /device/{word}/readmit", "POST", f"/device/{name}/readmit", {})
    for path in ("/devices", "/removed_devices", "/topology", "/events"):
        yield Attempt(f"GET {path}", "GET", path)


def report(name: str, load: float = 1.0) -> dict[str, Any]:
    """What a routing server says of itself."""
    return {
        "server_id": name,
        "server_name": name,
        "timestamp": time.time(),
        "cpu_percent": load,
        "memory_percent": load,
        "bandwidth_mbps": load,
        "active_tunnels": 1,
        "total_rx_packets": 1,
        "total_tx_packets": 1,
    }


def _move() -> dict[str, Any]:
    return {
        "number": 1,
        "when": time.time(),
        "before": None,
        "after": "router_1",
        "cause": "invented",
        "evidence": [],
        "rejected": {},
        "resent": 0,
        "flows_moved": 0,
    }
