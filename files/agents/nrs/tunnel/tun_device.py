"""A TUN device with virtio-net headers and every offload that the kernel accepts."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from contextlib import suppress

from nrs.tunnel import virtio

_TUNSETIFF = 0x400454CA
_TUNSETOFFLOAD = 0x400454D0
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000
_IFF_VNET_HDR = 0x4000

_OFFLOADS = {"csum": 0x01, "tso4": 0x02, "tso6": 0x04, "uso4": 0x20, "uso6": 0x40}
_ATTEMPTS = (tuple(_OFFLOADS), ("csum", "tso4", "tso6"), ("csum",), ())

GSO_MAX_BYTES = 60_000
"""`gso_max_size` of the device: one read is then one UDP_SEGMENT send of at most 65,507 bytes."""
GSO_MAX_SEGMENTS = 64
QUEUE_FRAMES = 2000
"""What the device holds while the agent waits for a processor: 25 ms at 80,000 packets a second."""


class TunDevice:
    """An open TUN device; reads and writes never block."""

    def __init__(self, name: str) -> None:
        """Create or attach to `name`. Raises OSError."""
        self.name = name
        self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            request = struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI | _IFF_VNET_HDR)
            fcntl.ioctl(self.fd, _TUNSETIFF, request)
            self.offloads = self._enable_offloads()
        except OSError as error:
            os.close(self.fd)
            raise OSError(error.errno, error.strerror, name) from None

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
