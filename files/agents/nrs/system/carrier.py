"""Whether a link has its carrier, asked for (ethtool's GLINK, linux/ethtool.h)."""

from __future__ import annotations

import array
import fcntl
import socket
import struct

_SIOCETHTOOL = 0x8946
_ETHTOOL_GLINK = 0x0A
_VALUE = struct.Struct("=II")
_REQUEST = struct.Struct("@16sP16x")


def has_carrier(name: str) -> bool | None:
    """Whether the interface is up and has a carrier; None where the kernel does not say.

    It may wait for a lock of the kernel's: not for a packet loop.
    """
    value = array.array("B", _VALUE.pack(_ETHTOOL_GLINK, 0))
    request = _REQUEST.pack(name.encode(), value.buffer_info()[0])
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            fcntl.ioctl(sock, _SIOCETHTOOL, bytearray(request))
    except OSError:
        return None
    return bool(_VALUE.unpack(value)[1])
