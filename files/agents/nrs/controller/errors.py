"""Why the registry turns a request down; nothing has been written when one is raised."""

from __future__ import annotations

from nrs.identity.credential import date


class RegistryError(Exception):
    """The text says why; `field` is the part of the request at fault."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class UnknownDevice(RegistryError):
    """No device of this name has registered."""

    def __init__(self, device_id: str) -> None:
        super().__init__(f"device {device_id!r} is not registered", "device_id")


class DeviceRemoved(RegistryError):
    """An operator has removed the device, since `at`, in seconds since the epoch."""

    def __init__(self, device_id: str, at: float) -> None:
        super().__init__(
            f"device {device_id!r} was removed by an operator on {date(at)};"
            f" POST /device/{device_id}/readmit lets it register again",
            "device_id",
        )


class AddressTaken(RegistryError):
    """A device states an address that another one holds."""

    def __init__(self, field: str, address: str, holder: str) -> None:
        super().__init__(f"{address} belongs to device {holder!r}", field)


class AddressInQuarantine(RegistryError):
    """A device states an address that a removed one held of late; times as above."""

    def __init__(self, field: str, address: str, held_by: str, free_at: float) -> None:
        super().__init__(
            f"{address} was device {held_by!r}'s, which was removed; it is free on {date(free_at)}",
            field,
        )


class PoolExhausted(RegistryError):
    """Every address of the pool is held by a device."""

    def __init__(self, field: str) -> None:
        super().__init__(f"no free address is left in ip_allocation.{field}_pool", field)
