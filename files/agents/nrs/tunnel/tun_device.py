"""A TUN device with virtio-net headers and every offload that the kernel accepts."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import struct
from contextlib import suppress

from nrs.tunnel import virtio

log = logging.getLogger(__name__)

_TUNSETIFF = 0x400454CA
_TUNGETIFF = 0x800454D2
_TUNSETOFFLOAD = 0x400454D0
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000
_IFF_VNET_HDR = 0x4000

_IFF_PERSIST = 0x0800

_CLONE = "/dev/net/tun"
_HINTS = {
    errno.EINVAL: "exists and is of another kind (ip -d link show): remove it, or give"
    " tunnel.interface_name another one",
    errno.EBUSY: "is in use by another process (ip -d tuntap show)",
}
_FLAGS = _IFF_TUN | _IFF_NO_PI | _IFF_VNET_HDR
_REQUEST = struct.Struct("16sH22x")
"""struct ifreq: the name and its flags."""

_OFFLOADS = {"csum": 0x01, "tso4": 0x02, "tso6": 0x04, "uso4": 0x20, "uso6": 0x40}
_ATTEMPTS = (tuple(_OFFLOADS), ("csum", "tso4", "tso6"), ("csum",), ())

GSO_MAX_BYTES = 60_000
"""`gso_max_size` of the device: one read is then one UDP_SEGMENT send of at most 65,507 bytes."""
GSO_MAX_SEGMENTS = 64
QUEUE_FRAMES = 2000
"""What the device holds while the agent waits for a processor: 25 ms at 80,000 packets a second."""


class DeviceGone(Exception):
    """Somebody has deleted the device; the text is its name."""


class TunDevice:
    """An open TUN device; reads and writes never block."""

    def __init__(self, name: str, fd: int) -> None:
        """Use `fd`, which is attached to `name`. Raises OSError."""
        self.name = name
        self.fd = fd
        self.offloads = self._enable_offloads()

    @classmethod
    def create(cls, name: str) -> TunDevice:
        """Create or attach to `name`. Raises OSError with what to do where that is known."""
        fd = os.open(_CLONE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.ioctl(fd, _TUNSETIFF, _REQUEST.pack(name.encode(), _FLAGS))
            return cls(name, fd)
        except OSError as error:
            os.close(fd)
            hint = _HINTS.get(error.errno or 0)
            if hint is None:
                raise OSError(error.errno, error.strerror, name) from None
            raise OSError(error.errno, f"the device {name} {hint}") from None

    @property
    def is_persistent(self) -> bool:
        """Whether it was there before and stays when it is closed."""
        flags = _REQUEST.unpack(fcntl.ioctl(self.fd, _TUNGETIFF, bytes(_REQUEST.size)))[1]
        return bool(flags & _IFF_PERSIST)

    @classmethod
    def adopt(cls, name: str, fd: int) -> TunDevice | None:
        """The device that an earlier process has opened; None, and `fd` closed, for another one."""
        try:
            attached, flags = _REQUEST.unpack(fcntl.ioctl(fd, _TUNGETIFF, bytes(_REQUEST.size)))
            if attached.rstrip(b"\0") == name.encode() and flags & _FLAGS == _FLAGS:
                return cls(name, fd)
        except OSError as error:
            log.info("the TUN device of an earlier run is gone: %s", error.strerror)
        os.close(fd)
        return None

    def _enable_offloads(self) -> tuple[str, ...]:
        for names in _ATTEMPTS:
            try:
                fcntl.ioctl(self.fd, _TUNSETOFFLOAD, sum(_OFFLOADS[name] for name in names))
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
            else:
                return names
        return ()

    @property
    def udp_offload(self) -> bool:
        """Whether UDP super-packets may be written."""
        return "uso4" in self.offloads

    def deliver(self, packet: bytes) -> None:
        """Hand one packet with complete checksums to the host; one that it refuses is lost."""
        with suppress(OSError):
            os.write(self.fd, virtio.PLAIN + packet)

    def close(self) -> None:
        """Close it; a device that is not persistent goes with its addresses and routes."""
        with suppress(OSError):
            os.close(self.fd)
