"""The virtio-net header that precedes every packet on a TUN device with IFF_VNET_HDR.

Fields and meanings: virtio 1.2 section 5.1.6, in host byte order.
"""

from __future__ import annotations

import struct

HEADER = struct.Struct("=BBHHHH")
"""flags, GSO type, header length, GSO size, checksum start, checksum offset."""
HEADER_BYTES = HEADER.size

NEEDS_CHECKSUM = 0x01
GSO_NONE = 0
GSO_TCP4 = 1
GSO_TCP6 = 4
GSO_UDP = 5
GSO_ECN = 0x80

PLAIN = bytes(HEADER_BYTES)
