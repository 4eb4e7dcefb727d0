"""What the API shows of devices and of the topology; pure, times in epoch seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nrs.api.messages import DeviceStatus, TunnelStatus

ONLINE_S = 30.0
"""A device is online for so long after it was last heard of."""


@dataclass(frozen=True)
class Record:
    """A registered device, when it was last heard of and what it said then."""

    device_id: str
    device_type: str
    name: str
    tun_ipv4: str | None
    tun_ipv6: str | None
    internal_ip: str | None
    external_ip: str | None
    port: int | None
    ports: Sequence[int]
    version: str | None
    registered_at: float
    last_seen: float
    config_version: int
    reported: DeviceStatus | None

    def online(self, now: float) -> bool:
        """Whether it registered or posted a status of late."""
        return now - self.last_seen <= ONLINE_S

    @property
    def tunnels(self) -> Sequence[TunnelStatus]:
        """Its tunnels by its latest status."""
        return self.reported.tunnels if self.reported else ()


def summary(device: Record, now: float) -> dict[str, Any]:
    """A device as in a list of devices."""
    reported = device.reported
    return {
        "device_id": device.device_id,
        "device_type": device.device_type,
        "name": device.name,
        "tun_ipv4": device.tun_ipv4,
        "tun_ipv6": device.tun_ipv6,
        "internal_ip": device.internal_ip,
        "external_ip": device.external_ip,
        "port": device.port,
        "ports": list(device.ports),
        "version": device.version,
        "registered_at": device.registered_at,
        "last_seen": device.last_seen,
        "status": "online" if device.online(now) else "offline",
        "config_version": device.config_version,
        "config_acknowledged": reported.config_version if reported else 0,
        "config_error": reported.config_error if reported else None,
        "put_back": reported.put_back if reported else 0,
        "not_kept": reported.not_kept if reported else 0,
    }


def detail(device: Record, now: float) -> dict[str, Any]:
    """A device with its tunnels as it sees them."""
    tunnels = [
        {"peer_id": tunnel.peer_id, **_state(device, tunnel, now)} for tunnel in device.tunnels
    ]
    return {**summary(device, now), "tunnels": tunnels}


def topology(devices: Sequence[Record], now: float) -> dict[str, Any]:
    """Every device, and every tunnel once.

    An endpoint's view of its tunnels is authoritative: it alone decides which is
    active. A router's view stands in for endpoints that never posted a status.
    """
    return {
        "timestamp": now,
        "devices": [summary(device, now) for device in devices],
        "tunnels": _tunnels(devices, now),
    }


def _tunnels(devices: Sequence[Record], now: float) -> list[dict[str, Any]]:
    known: dict[tuple[str, str], dict[str, Any]] = {}
    for endpoint_id, router_id, state in _views(devices, now):
        before = known.get((endpoint_id, router_id))
        # A session that was renewed may be reported beside its successor.
        if before is None or (state["up"], state["active"]) > (before["up"], before["active"]):
            known[endpoint_id, router_id] = state
    return [
        {"endpoint_id": endpoint_id, "router_id": router_id, **known[endpoint_id, router_id]}
        for endpoint_id, router_id in sorted(known)
    ]


def _views(devices: Sequence[Record], now: float) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Endpoint, router and state of every view of a tunnel that counts."""
    heard = {
        device.device_id
        for device in devices
        if device.device_type != "routing_server" and device.reported is not None
    }
    for device in devices:
        for tunnel in device.tunnels:
            if device.device_id in heard:
                yield device.device_id, tunnel.peer_id, _state(device, tunnel, now)
            elif tunnel.peer_id not in heard:
                yield tunnel.peer_id, device.device_id, _state(device, tunnel, now)


def _state(device: Record, tunnel: TunnelStatus, now: float) -> dict[str, Any]:
    """A tunnel as its device last saw it; down since then when the device went silent."""
    if not device.online(now):
        return {"up": False, "active": False, "rtt_ms": None, "since": device.last_seen}
    return {
        "up": tunnel.up,
        "active": tunnel.active,
        "rtt_ms": tunnel.rtt_ms,
        "since": tunnel.since,
    }
