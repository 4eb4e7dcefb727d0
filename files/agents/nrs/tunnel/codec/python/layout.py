"""What a datagram begins with and how a BATCH is told, as plain numbers for the packet path."""

from __future__ import annotations

from nrs.tunnel.wire import DataFlag, Type, first_byte

DATA = first_byte(Type.DATA)
SEGMENT = first_byte(Type.SEGMENT)
BATCH = first_byte(Type.BATCH)
FRAGMENT = first_byte(Type.FRAGMENT)
PARTIAL = int(DataFlag.PARTIAL_CHECKSUM)
LAST = int(DataFlag.LAST)
BATCH_PARTIAL = 0x8000
"""In an entry's length: the checksum is partial."""
PLACE_BYTES = 4
"""Before a packet in pieces: where its checksum is, as in the header of DATA."""
