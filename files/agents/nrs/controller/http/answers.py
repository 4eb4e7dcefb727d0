"""What the controller's API answers, for the OpenAPI document and for whoever reads it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict

from nrs.api import answers
from nrs.api.answers import Answer
from nrs.api.messages import DeviceType, SwitchEvent


class Health(answers.Health):
    """`GET /health`."""

    timestamp: float


class Registered(Answer):
    """`POST /register`: what the device has been given and is to use."""

    device_id: str
    tun_ipv4: str | None
    tun_ipv6: str | None
    tunnel_port: int
    config_version: int


class StatusTaken(Answer):
    """`POST /status`."""

    device_id: str
    timestamp: float


class Configuration(Answer):
    """`POST /config`; version 0 and an empty one before any push."""

    device_id: str
    version: int
    config: dict[str, Any]


class PushTaken(Answer):
    """`POST /push_config/{device_id}`."""

    device_id: str
    version: int
    changed: bool


class EventsTaken(Answer):
    """`POST /events`: how many were not known yet."""

    device_id: str
    new: int


class DeviceEvent(SwitchEvent):
    """An event as it was posted, and by whom."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    device_id: str


class Events(Answer):
    """`GET /events`."""

    timestamp: float
    events: list[DeviceEvent]


class TunnelState(Answer):
    """How a tunnel is; `since` when."""

    up: bool
    active: bool
    rtt_ms: float | None
    since: float | None


class DeviceTunnel(TunnelState):
    """A tunnel as its device sees it."""

    peer_id: str


class Tunnel(TunnelState):
    """A tunnel of the topology."""

    endpoint_id: str
    router_id: str


class Device(Answer):
    """A device as it registered, when it was last heard of, and what it runs."""

    device_id: str
    device_type: DeviceType
    name: str
    tun_ipv4: str | None
    tun_ipv6: str | None
    internal_ip: str | None
    external_ip: str | None
    port: int | None
    ports: list[int]
    version: str | None
    registered_at: float
    last_seen: float
    status: Literal["online", "offline"]
    config_version: int
    config_acknowledged: int
    config_error: str | None
    put_back: int
    not_kept: int


class Removal(Answer):
    """A device that stays out; `owed` is what its removal still takes, None once that is done."""

    device_id: str
    removed_at: float
    tun_ipv4: str | None
    tun_ipv6: str | None
    addresses_free_at: float | None
    owed: str | None


class Removed(Removal):
    """`DELETE /device/{device_id}`."""

    changed: bool


class Readmitted(Answer):
    """`POST /device/{device_id}/readmit`."""

    device_id: str
    changed: bool


class RemovedDevices(Answer):
    """`GET /removed_devices`."""

    timestamp: float
    devices: list[Removal]


class DeviceDetail(Device):
    """`GET /device/{device_id}`."""

    tunnels: list[DeviceTunnel]


class Devices(Answer):
    """`GET /devices`."""

    timestamp: float
    devices: list[Device]


class Topology(Devices):
    """`GET /topology`."""

    tunnels: list[Tunnel]
